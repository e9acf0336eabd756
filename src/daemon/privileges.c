/* SPDX-License-Identifier: GPL-2.0-or-later */
/* privileges.c - see privileges.h. */
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>

static const unsigned int kept[] = {
	CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE, CAP_BPF, CAP_PERFMON,
};

int privileges_check(struct err *e)
{
	if (capng_get_caps_process() < 0)
		return err_set(e, -EIO, "privileges", "", "capabilities cannot be read");
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN) ||
	    !capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_RAW))
		return err_set(e, -EPERM, "privileges", "",
			       "vmlaned needs CAP_NET_ADMIN and CAP_NET_RAW; start it as root "
			       "(sudo vmlaned) or by systemd (systemctl start vmlaned)");
	return 0;
}

int privileges_drop(struct err *e)
{
	bool bounding = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	bool held[ARRAY_SIZE(kept)];

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		held[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		if (held[i])
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				     kept[i]);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, -errno, "privileges", "", "no_new_privs: %s", strerror(errno));
	if (capng_apply(bounding ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) < 0)
		return err_set(e, -EPERM, "privileges", "", "capabilities cannot be dropped");
	return 0;
}
