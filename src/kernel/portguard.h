/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * portguard.h - the guards' program at the guests' ports (bpf/guard.bpf.c) and its maps, in the network
 * namespace of the caller.
 *
 * The program is attached by TCX (Linux 6.6), before those of others, or as a tc filter at clsact: both stay
 * with the port, whatever becomes of the daemon. Maps and program are pinned in /sys/fs/bpf/vmlane, by the
 * namespace's inode, so that the next daemon finds them; where that one's program is another, it
 * takes the place of the old one in one step at each port, with the same maps.
 *
 * Order: a port's facts are there before the program is, and go after it.
 */
#ifndef VMLANE_KERNEL_PORTGUARD_H
#define VMLANE_KERNEL_PORTGUARD_H

#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"
#include "kernel/port_facts.h"

struct portguard;

/*
 * portguard_open() - load the program, find the maps or make them. Nothing is pinned before the first
 * port. -EPERM, -ENOENT (no bpffs) etc., with the mend in @e.
 */
int portguard_open(struct portguard **ret, struct err *e) __must_check;
/* portguard_find() - to read only: what is pinned; -ENOENT when nothing is. Only root may. */
int portguard_find(struct portguard **ret) __must_check;
/* portguard_left() - something is pinned in this namespace. */
bool portguard_left(void);
/* portguard_free() - what is at the ports stays there. */
void portguard_free(struct portguard *g);
DEFINE_CLEANUP(struct portguard *, portguard_free)

/*
 * portguard_look() - the facts in force at @ifindex. -ENOENT: it is not guarded; -ESTALE: by an older
 * version of the program, or without facts; -errno when it cannot be known.
 */
int portguard_look(struct portguard *g, int ifindex, struct port_facts *ret) __must_check;
/* portguard_facts() - the same without a look at the port. */
int portguard_facts(struct portguard *g, int ifindex, struct port_facts *ret) __must_check;
/* portguard_put() - @f is in force at @ifindex from now on; what was counted there stays. -ENODEV. */
int portguard_put(struct portguard *g, int ifindex, const struct port_facts *f,
		  struct err *e) __must_check;
/* portguard_update() - @f holds at @ifindex, which is guarded; nothing else is looked at. */
int portguard_update(struct portguard *g, int ifindex, const struct port_facts *f) __must_check;
/*
 * portguard_remove() - @ifindex, which may have gone, is not guarded any more; with the last of all ports
 * nothing is pinned any more.
 */
int portguard_remove(struct portguard *g, int ifindex, struct err *e) __must_check;
/* portguard_ports() - the ports that facts are there of, at *ret, to be freed; how many, or -ENOMEM. */
int portguard_ports(struct portguard *g, int **ret) __must_check;
/*
 * portguard_keep() - pin again what somebody has unpinned, without which the next daemon would not find it;
 * 1: something was. Costs a look at each pin.
 */
int portguard_keep(struct portguard *g, struct err *e) __must_check;
/*
 * portguard_is_silent() - nobody is told when the program is taken off a port: true for TCX, while tc filters
 * have events.
 */
bool portguard_is_silent(void);
/* portguard_settled() - all ports have the program of this version: older ones are forgotten. */
void portguard_settled(struct portguard *g);

/* portguard_is() - @id is of a version of the guards' program that is pinned. */
bool portguard_is(const struct portguard *g, uint32_t id);
/* portguard_drops() - what was dropped at @ifindex; -ENOENT. */
int portguard_drops(const struct portguard *g, int ifindex, struct port_drops *ret) __must_check;

#endif
