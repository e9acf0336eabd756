/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipv6.c - whether the host has IPv6 at all; see manager.h. want_ipv6.c has what networks ask of it. */
#include <string.h>

#include "daemon/manager.h"
#include "kernel/sysctl.h"

bool ipv6_on_host(void)
{
	char value[SYSCTL_VALUE_MAX];

	return sysctl_read("net/ipv6/conf/all/disable_ipv6", value) == 0 && strcmp(value, "0") == 0;
}

bool ipv6_note(const struct network_rt *n, struct err *ret)
{
	const char *mend = "switch it on (sysctl -w net.ipv6.conf.all.disable_ipv6=0)";

	if (!n->config->ipv6.on || n->stopped || n->ipv6 || ipv6_on_host())
		return false;
	if (access("/proc/sys/net/ipv6", F_OK) < 0)
		mend = "start the kernel with it (without ipv6.disable=1)";
	err_set(ret, 0, "ipv6-off", n->name,
		"IPv6 is off on this host, so its guests have none, and IPv4 as ever; %s and "
		"`vmlane apply`, or take `ipv6` out of %s",
		mend, n->file);
	return true;
}
