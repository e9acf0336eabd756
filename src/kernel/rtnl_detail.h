/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnl_detail.h - reads model/detail.h's state, and asks for single routes. Nothing is sent or changed. */
#ifndef VMLANE_KERNEL_RTNL_DETAIL_H
#define VMLANE_KERNEL_RTNL_DETAIL_H

#include "kernel/rtnl.h"
#include "model/detail.h"

/* rtnl_detail() - all of the socket's network namespace; host_detail_done(). The kernel's errors. */
int rtnl_detail(struct rtnl *r, struct host_detail *ret, struct err *e) __must_check;

/*
 * rtnl_lookup() - ask the kernel for a route (RTM_GETROUTE). Its refusal is an answer; -errno only
 * when it could not be asked.
 */
int rtnl_lookup(struct rtnl *r, const struct route_question *q, struct route_answer *ret,
		struct err *e) __must_check;

#endif
