/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port_facts.h - what the guards at a port go by (bpf/port_facts.h), filled in; and which guard drops a
 * frame there. Pure. Next on the walk: portguard.h puts it into the kernel.
 */
#ifndef VMLANE_KERNEL_PORT_FACTS_H
#define VMLANE_KERNEL_PORT_FACTS_H

#include <stdbool.h>
#include "base/addr.h"
#include "bpf/port_facts.h"
#include "model/guard.h"

/*
 * Facts begin zeroed. What is over a limit is refused with -E2BIG, and what is there already is not added
 * once more.
 *
 * port_facts_mac() - @mac is the port's; the first is the guest's own.
 */
int port_facts_mac(struct port_facts *f, const struct mac *mac) __must_check;
/* port_facts_pair() - @mac, which is the port's (else -ENOENT), has the IPv4 address @addr. */
int port_facts_pair(struct port_facts *f, const struct mac *mac, struct in_addr addr) __must_check;
/* port_facts_unpair() - it has it no more; false: it had not. */
bool port_facts_unpair(struct port_facts *f, const struct mac *mac, struct in_addr addr);
/* port_facts_prefix() - any of its MACs may have an address of @p. */
int port_facts_prefix(struct port_facts *f, const struct guest_prefix *p) __must_check;
int port_facts_router6(struct port_facts *f, const struct in6_addr *addr) __must_check;

/* port_facts_fast() - what of @f is known at a glance, for the port @ifindex. */
void port_facts_fast(const struct port_facts *f, int ifindex, struct port_fast *ret);

/*
 * port_window_fill() - @ret is the beginning of the frame @b of @len bytes as a program at a port's ingress
 * sees it: without its outermost VLAN tag, which is told beside it.
 */
void port_window_fill(const void *b, size_t len, struct port_window *ret);

/* port_window_of() - the same of a frame without its tag, whose value is @tci (802.1Q; -1: it had none). */
void port_window_of(const void *b, size_t len, int tci, struct port_window *ret);

/* port_judge() - which guard at a port with facts @f drops the frame @w; GUARD_COUNT: none. */
enum guard port_judge(const struct port_facts *f, const struct port_window *w);
/* port_judge_fast() - the frame @w is known to be good at a glance. */
bool port_judge_fast(const struct port_fast *f, const struct port_window *w);

#endif
