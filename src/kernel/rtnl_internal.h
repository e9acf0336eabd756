/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl_internal.h - what the rtnl_*.c files share: the socket, one request and its answer, the
 * parsers of single messages. For no one outside this folder (and its tests).
 */
#ifndef VMLANE_KERNEL_RTNL_INTERNAL_H
#define VMLANE_KERNEL_RTNL_INTERNAL_H

#include <libmnl/libmnl.h>
#include "kernel/rtnl.h"

#define RTNL_RECV_SIZE 65536	 /* the kernel fills at most 32 KiB of a dump at once */
#define RTNL_REQUEST_SIZE 1024	 /* our largest request, a bridge with alias, has some 200 bytes */
#define RTNL_DUMP_TRIES 16	 /* a dump torn by changes is started again so often */
#define RTNL_ENTRIES_MAX 4000000 /* of one dump: four full BGP tables */

/**
 * struct rtnl - a request socket
 * @sk:		owned
 * @seq:	of the last request
 * @buf:	RTNL_RECV_SIZE bytes for answers; owned
 */
struct rtnl {
	struct mnl_socket *sk;
	uint32_t seq;
	char *buf;
};

/**
 * struct rtnl_request - one or two messages to send at once
 * @bytes:	the messages
 * @len:	how long they are together
 * @last:	the message under construction
 * @what:	for people: what the kernel is asked to do, "delete the link"
 * @ifname:	for people: to which interface; may be NULL
 */
struct rtnl_request {
	union {
		char bytes[RTNL_REQUEST_SIZE];
		struct nlmsghdr align;
	};
	size_t len;
	struct nlmsghdr *last;
	const char *what;
	const char *ifname;
};

/**
 * struct rtnl_array - what a dump has found so far
 * @v:		entries of @size bytes each; owned until handed over
 * @n:		how many
 * @cap:	room for how many
 * @filter:	for the callback: the ifindex that is wanted, 0 for all
 */
struct rtnl_array {
	void *v;
	size_t n;
	size_t cap;
	size_t size;
	int filter;
};

/* rtnl_new_for() - as rtnl_new(), for another netlink family: NETLINK_NETFILTER, say. */
int rtnl_new_for(int protocol, struct rtnl **ret) __must_check;

/* rtnl_array_add() - append a copy of @entry; -ENOMEM, -E2BIG. */
int rtnl_array_add(struct rtnl_array *a, const void *entry) __must_check;

/* Called for each message of an answer; an error ends the request with it. */
typedef int (*rtnl_message_fn)(const struct nlmsghdr *nlh, struct rtnl_array *out);

/*
 * rtnl_receive() - one datagram from the kernel into @buf; its length, or -errno (-ENOBUFS: some
 * were lost, -EMSGSIZE: it was longer than @size). What other processes send is passed over.
 */
int rtnl_receive(struct mnl_socket *sk, char *buf, size_t size) __must_check;

/*
 * rtnl_request_begin() - start a message of @type in @q (the first, or another behind it)
 *
 * Returns the zeroed family header of @header_size bytes. Attributes are put to @q->last.
 */
void *rtnl_request_begin(struct rtnl *r, struct rtnl_request *q, uint16_t type, uint16_t flags,
			 size_t header_size);
/* rtnl_request_run() - send all of @q and hear the kernel's verdict; the first error counts. */
int rtnl_request_run(struct rtnl *r, struct rtnl_request *q, rtnl_message_fn fn,
		     struct rtnl_array *out, struct err *e) __must_check;
/* rtnl_request_dump() - as _run() for a dump, begun anew when it was torn by a change. */
int rtnl_request_dump(struct rtnl *r, struct rtnl_request *q, rtnl_message_fn fn,
		      struct rtnl_array *out, struct err *e) __must_check;
/* rtnl_request_write() - as _run() without an answer, counted in kernel_write_count(). */
int rtnl_request_write(struct rtnl *r, struct rtnl_request *q, struct err *e) __must_check;

/* rtnl_ifindex() - of the link called @name; -ENODEV. */
int rtnl_ifindex(struct rtnl *r, const char *name, int *ret, struct err *e) __must_check;

/* struct rtnl_messages - netlink messages not yet looked at; reads stay inside @left. */
struct rtnl_messages {
	const char *p;
	size_t left;
};

/*
 * rtnl_messages_next() - the next one, all of it inside; NULL at the end and where it is broken.
 * (mnl_nlmsg_ok() takes a length above INT_MAX for a short one.)
 */
const struct nlmsghdr *rtnl_messages_next(struct rtnl_messages *m);

/* struct rtnl_attrs - netlink attributes not yet looked at; reads stay inside @left. */
struct rtnl_attrs {
	const char *p;
	size_t left;
};

/* rtnl_attrs_of() - those behind the @offset first bytes of the message (its headers). */
struct rtnl_attrs rtnl_attrs_of(const struct nlmsghdr *nlh, size_t offset);
/* rtnl_attrs_behind() - those behind the family header of type @header. */
#define rtnl_attrs_behind(nlh, header)                                                             \
	rtnl_attrs_of(nlh, NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(header)))
/* rtnl_attrs_in() - those nested in @attr. */
struct rtnl_attrs rtnl_attrs_in(const struct nlattr *attr);
/* rtnl_attrs_next() - the next one, all of it inside; NULL at the end and where it is broken. */
const struct nlattr *rtnl_attrs_next(struct rtnl_attrs *a);
/* rtnl_attr_copy() - @len bytes of it to @out; false, and nothing copied, when it has fewer. */
bool rtnl_attr_copy(const struct nlattr *attr, void *out, size_t len);
/* rtnl_attr_text() - as a NUL-terminated text, cut to @size. */
void rtnl_attr_text(const struct nlattr *attr, char *out, size_t size);

struct rtnexthop;
/*
 * rtnl_nexthop_next() - the next one of a route's several, all of it inside @rest (of an RTA_MULTIPATH), and
 * its attributes; false at the end and where it is broken.
 */
bool rtnl_nexthop_next(struct rtnl_attrs *rest, struct rtnexthop *ret,
		       struct rtnl_attrs *ret_attrs);

/*
 * Parsers of single messages. They return 1 when the message is one of those wanted, 0 when it is
 * to be passed over, and believe no length in it.
 */
int rtnl_parse_link(const struct nlmsghdr *nlh, struct link_state *ret);
int rtnl_parse_addr(const struct nlmsghdr *nlh, struct addr_state *ret);
/*
 * rtnl_parse_route() - append the routes of @nlh to @out (of struct route_state), one for each
 * nexthop; how many, or -errno.
 */
int rtnl_parse_route(const struct nlmsghdr *nlh, struct rtnl_array *out);
int rtnl_parse_neigh(const struct nlmsghdr *nlh, struct neigh_entry *ret);
/* rtnl_neigh_age_s() - what an NDA_CACHEINFO says of a neighbour: see struct neigh_entry. */
uint32_t rtnl_neigh_age_s(const struct nlattr *cacheinfo);
int rtnl_parse_fdb(const struct nlmsghdr *nlh, struct fdb_entry *ret);

/* Of IPv6 (rtnl_ipv6.c); rtnl_parse_route6() appends to @out (of struct route6_state). */
int rtnl_parse_addr6(const struct nlmsghdr *nlh, struct addr6_state *ret);
int rtnl_parse_route6(const struct nlmsghdr *nlh, struct rtnl_array *out);
int rtnl_parse_neigh6(const struct nlmsghdr *nlh, struct neigh6_entry *ret);

#endif
