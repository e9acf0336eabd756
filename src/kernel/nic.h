/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nic.h - finding out what an interface is and who else has it in hand, from netlink, /sys, /proc
 * and /run. Reads only; model/takeover.h judges.
 */
#ifndef VMLANE_KERNEL_NIC_H
#define VMLANE_KERNEL_NIC_H

#include "kernel/rtnl.h"
#include "model/takeover.h"

/**
 * nic_facts_read() - fill @ret for interface @ifname, but for @nexthops (rtnl_holdings())
 * @root:	"" or where /sys, /run, /etc and /proc are for a test
 *
 * Processes count only when they are in our own network namespace. Returns 0 also when there is no
 * such interface; -errno when netlink fails.
 */
int nic_facts_read(struct rtnl *r, const char *root, const char *ifname, struct nic_facts *ret,
		   struct err *e) __must_check;

/* nic_dhcp_cmdline() - is @cmdline (@len bytes, NUL-separated) a DHCP client's for @ifname? Pure. */
bool nic_dhcp_cmdline(const char *cmdline, size_t len, const char *ifname);

#endif
