/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcx.h - BPF programs at a device in front of all others (TCX, Linux 6.6). */
#ifndef VMLANE_PATH_TCX_H
#define VMLANE_PATH_TCX_H

#include <stdbool.h>

/* BPF_TCX_INGRESS and BPF_TCX_EGRESS of linux/bpf.h: the headers here are older. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47

/*
 * tcx_attach_first() - program @prog_fd sees what goes out by @ifindex (@egress), or comes in by it, before
 * other programs do. The descriptor of the link, with which it goes again, or -errno: -EINVAL where the
 * kernel has no TCX, -ENODEV.
 */
int tcx_attach_first(int prog_fd, int ifindex, bool egress);

#endif
