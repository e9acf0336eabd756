/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * subject.h - whose packets? The guest that was named on the command line, as the kernel knows it:
 * its ports, MAC, addresses, and what the other interfaces of the host are to it.
 *
 * Works without the daemon, for guests that anybody started. Next on the walk: path/tracer.h.
 */
#ifndef VMLANE_INSPECT_SUBJECT_H
#define VMLANE_INSPECT_SUBJECT_H

#include "base/err.h"
#include "kernel/rtnl.h"
#include "path/journey.h"
#include "path/tracer.h"

#define SUBJECT_PORTS_MAX 8

/**
 * struct subject_query - how the guest was named; all but one NULL
 * @name:	our guest's name, a VM's name (`-name`), its MAC or IPv4 address, or its tap
 * @port:	its port
 * @mac:	its MAC
 */
struct subject_query {
	const char *name;
	const char *port;
	const char *mac;
};

/**
 * struct subject - the guest and its host
 * @name:	for people
 * @ports:	ifindexes of the guest's ports, @n_ports of them
 * @mac:	when @has_mac
 * @addrs:	its addresses as far as they are known now, @n_addrs
 * @view:	the host; its arrays are owned by the subject
 * @neighbours:	what the host knew of them when the guest was looked for
 */
struct subject {
	char name[64];
	int ports[SUBJECT_PORTS_MAX];
	size_t n_ports;
	bool has_mac;
	struct mac mac;
	struct path_address addrs[PATH_ADDRS_MAX];
	size_t n_addrs;
	struct path_view view;
	struct path_device *devices;
	struct path_address *locals;
	struct neigh_entry *neighbours;
	size_t n_neighbours;
};

/*
 * subject_find() - in the calling thread's network namespace. -ENOENT when there is no such guest (the
 * names there are, are said), -EINVAL for what is no MAC, or the kernel's errors.
 */
int subject_find(const struct subject_query *q, struct subject *ret, struct err *e) __must_check;

/*
 * subject_host() - the host without a guest: its view, its neighbours, and no ports. Whose ports there are
 * are all others' (DEVICE_PORT).
 */
int subject_host(struct subject *ret, struct err *e) __must_check;

/* subject_refresh() - look at the host's interfaces and addresses again; the guest stays. */
int subject_refresh(struct subject *s, struct err *e) __must_check;
void subject_done(struct subject *s);

/* subject_neighbour() - the MAC that the host knows for @addr; false: none. IPv4 so far. */
bool subject_neighbour(const struct subject *s, uint8_t family, const uint8_t addr[16],
		       struct mac *ret);

/* subject_gateway() - the gateway of the default route by @ifname; -ENOENT when there is none. */
int subject_gateway(const char *ifname, struct in_addr *ret, struct err *e) __must_check;

/* subject_watch() - tell @t what each interface means, and who the guest is. */
int subject_watch(const struct subject *s, struct tracer *t) __must_check;

/* subject_enter_netns() - go into the namespace called @name (`ip netns`) or of process /proc/PID. */
int subject_enter_netns(const char *name, struct err *e) __must_check;

#endif
