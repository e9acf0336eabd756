/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl_move.c - the messages that take an interface's addresses, routes and rules to another; see
 * rtnl_move.h. They are the kernel's own, as it dumped them, with the interface replaced: what this
 * file does not know of a route (its metrics, say) is kept all the same.
 *
 * Next on the walk: rtnl_holdings.c, which collects them.
 */
#include "kernel/rtnl_move.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include "kernel/rtnl_internal.h"

#define FOREVER 0xffffffffu

/* struct rewrite - one item on its way to the interface @ifindex, @ifname. */
struct rewrite {
	const struct move *m;
	const struct takeover_snapshot *s;
	const struct takeover_item *item;
	enum takeover_op op;
	int ifindex;
	const char *ifname;
	struct nlmsghdr *nlh;
};

static size_t header_size(enum item_kind kind)
{
	static const size_t sizes[] = {
		[ITEM_ADDR] = sizeof(struct ifaddrmsg),
		[ITEM_ROUTE] = sizeof(struct rtmsg),
		[ITEM_RULE] = sizeof(struct fib_rule_hdr),
	};

	return NLMSG_ALIGN(sizes[kind]);
}

static struct rtnl_attrs item_attrs(const struct takeover_item *item)
{
	size_t head = header_size(item->kind);

	return (struct rtnl_attrs){.p = (const char *)item->bytes + head, .left = item->len - head};
}

static uint32_t attr_u32(const struct nlattr *attr)
{
	uint32_t v = 0;

	memcpy(&v, mnl_attr_get_payload(attr), size_min(sizeof(v), mnl_attr_get_payload_len(attr)));
	return v;
}

static void keep_attr(const struct rewrite *w, const struct nlattr *attr)
{
	mnl_attr_put(w->nlh, mnl_attr_get_type(attr), mnl_attr_get_payload_len(attr),
		     mnl_attr_get_payload(attr));
}

/* What is left of @seconds, which were counted when the snapshot was taken; never 0. */
static uint32_t left_of(const struct rewrite *w, uint32_t seconds)
{
	uint64_t gone = (w->m->now_us - w->s->taken_us) / 1000000;

	if (seconds == FOREVER || w->m->now_us < w->s->taken_us)
		return seconds;
	return seconds > gone ? (uint32_t)(seconds - gone) : 1;
}

/* ---- addresses ---- */

/* "eth0" and "eth0:1" go with their interface, as far as the new name leaves room. */
static void put_label(const struct rewrite *w, const struct nlattr *attr)
{
	char old[IFNAMSIZ], label[2 * IFNAMSIZ];
	size_t len = strlen(w->s->ifname);

	rtnl_attr_text(attr, old, sizeof(old));
	snprintf(label, sizeof(label), "%s", old);
	if (strncmp(old, w->s->ifname, len) == 0 && (old[len] == '\0' || old[len] == ':'))
		snprintf(label, sizeof(label), "%s%s", w->ifname, old + len);
	mnl_attr_put_strz(w->nlh, IFA_LABEL, strlen(label) < IFNAMSIZ ? label : old);
}

static void put_lifetimes(const struct rewrite *w, const struct nlattr *attr)
{
	struct ifa_cacheinfo ci;

	if (mnl_attr_get_payload_len(attr) < sizeof(ci))
		return;
	memcpy(&ci, mnl_attr_get_payload(attr), sizeof(ci));
	if (ci.ifa_prefered)
		ci.ifa_prefered = left_of(w, ci.ifa_prefered);
	ci.ifa_valid = left_of(w, ci.ifa_valid);
	if (ci.ifa_prefered > ci.ifa_valid)
		ci.ifa_prefered = ci.ifa_valid;
	mnl_attr_put(w->nlh, IFA_CACHEINFO, sizeof(ci), &ci);
}

/*
 * Nobody else on the LAN has taken the address in this moment: duplicate address detection, which
 * would keep it unusable for a second, is left out, and the flag that says so is taken off later.
 */
static uint32_t addr_flags(const struct rewrite *w, uint32_t flags)
{
	flags &= ~(uint32_t)(IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_PERMANENT);
	if (w->item->family == AF_INET6 && w->op == TAKEOVER_ADD)
		flags |= IFA_F_NODAD;
	return flags;
}

static void rewrite_addr(const struct rewrite *w, struct ifaddrmsg *ifa)
{
	struct rtnl_attrs attrs = item_attrs(w->item);
	const struct nlattr *attr;
	uint32_t flags = ifa->ifa_flags;

	ifa->ifa_index = (uint32_t)w->ifindex;
	ifa->ifa_flags = 0;
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == IFA_LABEL)
			put_label(w, attr);
		else if (mnl_attr_get_type(attr) == IFA_CACHEINFO)
			put_lifetimes(w, attr);
		else if (mnl_attr_get_type(attr) == IFA_FLAGS)
			flags = attr_u32(attr);
		else
			keep_attr(w, attr);
	}
	if (w->op != TAKEOVER_DEL)
		mnl_attr_put_u32(w->nlh, IFA_FLAGS, addr_flags(w, flags));
}

/* ---- routes ---- */

static void put_nexthops(const struct rewrite *w, const struct nlattr *attr)
{
	uint8_t hops[TAKEOVER_ITEM_MAX];
	size_t len = size_min(mnl_attr_get_payload_len(attr), sizeof(hops)), at = 0;

	memcpy(hops, mnl_attr_get_payload(attr), len);
	while (len - at >= sizeof(struct rtnexthop)) {
		struct rtnexthop nh;

		memcpy(&nh, hops + at, sizeof(nh));
		if (nh.rtnh_len < sizeof(nh) || nh.rtnh_len > len - at)
			break;
		if (nh.rtnh_ifindex == w->s->ifindex)
			nh.rtnh_ifindex = w->ifindex;
		nh.rtnh_flags &= RTNH_F_ONLINK;
		memcpy(hops + at, &nh, sizeof(nh));
		at += size_min((nh.rtnh_len + (size_t)3) & ~(size_t)3, len - at);
	}
	mnl_attr_put(w->nlh, RTA_MULTIPATH, len, hops);
}

/* The kernel tells when a route ends in one attribute and takes it in another. */
static void put_expiry(const struct rewrite *w, const struct nlattr *attr)
{
	struct rta_cacheinfo ci;

	if (mnl_attr_get_payload_len(attr) < sizeof(ci))
		return;
	memcpy(&ci, mnl_attr_get_payload(attr), sizeof(ci));
	if (w->item->family == AF_INET6 && ci.rta_expires > 0)
		mnl_attr_put_u32(w->nlh, RTA_EXPIRES,
				 left_of(w, (uint32_t)ci.rta_expires / 100)); /* USER_HZ */
}

static void rewrite_route(const struct rewrite *w, struct rtmsg *rtm)
{
	struct rtnl_attrs attrs = item_attrs(w->item);
	const struct nlattr *attr;

	rtm->rtm_flags &= RTNH_F_ONLINK;
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		switch (mnl_attr_get_type(attr)) {
		case RTA_OIF:
			mnl_attr_put_u32(w->nlh, RTA_OIF, (uint32_t)w->ifindex);
			break;
		case RTA_MULTIPATH:
			put_nexthops(w, attr);
			break;
		case RTA_CACHEINFO:
			put_expiry(w, attr);
			break;
		default:
			keep_attr(w, attr);
		}
	}
}

/* ---- rules ---- */

static void put_ifname(const struct rewrite *w, const struct nlattr *attr)
{
	char name[IFNAMSIZ];

	rtnl_attr_text(attr, name, sizeof(name));
	mnl_attr_put_strz(w->nlh, mnl_attr_get_type(attr),
			  strcmp(name, w->s->ifname) == 0 ? w->ifname : name);
}

static void rewrite_rule(const struct rewrite *w, struct fib_rule_hdr *frh)
{
	struct rtnl_attrs attrs = item_attrs(w->item);
	const struct nlattr *attr;

	frh->flags &= FIB_RULE_INVERT | FIB_RULE_FIND_SADDR;
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		if (mnl_attr_get_type(attr) == FRA_IIFNAME ||
		    mnl_attr_get_type(attr) == FRA_OIFNAME)
			put_ifname(w, attr);
		else
			keep_attr(w, attr);
	}
}

/* ---- one step's message ---- */

static int plug_message(const struct move *m, enum takeover_op op, void *buf)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = RTM_SETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = m->nic;
	mnl_attr_put_u32(nlh, IFLA_MASTER, op == TAKEOVER_PLUG ? (uint32_t)m->bridge : 0);
	return (int)nlh->nlmsg_len;
}

static const struct {
	uint16_t add, del;
} types[] = {
	[ITEM_ADDR] = {RTM_NEWADDR, RTM_DELADDR},
	[ITEM_ROUTE] = {RTM_NEWROUTE, RTM_DELROUTE},
	[ITEM_RULE] = {RTM_NEWRULE, RTM_DELRULE},
};
_Static_assert(ARRAY_SIZE(types) == ITEM_KIND_COUNT, "two messages for every kind of item");

/*
 * An IPv6 route with several next hops is the kernel's list of them: adding them to what there is
 * would make one list of both, and removing the old would take from the new what they share.
 */
static bool is_list(const struct takeover_item *item)
{
	return item->kind == ITEM_ROUTE && item->family == AF_INET6 && item->multipath;
}

static uint16_t message_flags(const struct takeover_item *item)
{
	if (item->kind == ITEM_ADDR || is_list(item))
		return NLM_F_CREATE | NLM_F_REPLACE;
	return item->kind == ITEM_RULE ? NLM_F_CREATE | NLM_F_EXCL : NLM_F_CREATE;
}

static bool to_nic(const struct move *m, enum takeover_op op)
{
	return m->home == (op != TAKEOVER_DEL);
}

int move_message(const struct move *m, const struct takeover_snapshot *s, enum takeover_op op,
		 const struct takeover_item *item, void *buf)
{
	struct rewrite w = {.m = m, .s = s, .item = item, .op = op};
	void *head;

	if (op == TAKEOVER_PLUG || op == TAKEOVER_UNPLUG)
		return plug_message(m, op, buf);
	if (item->len < header_size(item->kind))
		return -EBADMSG;
	w.ifindex = to_nic(m, op) ? m->nic : m->bridge;
	w.ifname = to_nic(m, op) ? m->nic_name : m->bridge_name;
	if (op == TAKEOVER_DEL && is_list(item))
		return 0;
	/* Rules name interfaces that need not be there. */
	if (w.ifindex == 0 && item->kind != ITEM_RULE)
		return 0;
	w.nlh = mnl_nlmsg_put_header(buf);
	w.nlh->nlmsg_type = op == TAKEOVER_DEL ? types[item->kind].del : types[item->kind].add;
	w.nlh->nlmsg_flags =
		(uint16_t)(NLM_F_REQUEST | (op == TAKEOVER_DEL ? 0 : message_flags(item)));
	head = mnl_nlmsg_put_extra_header(w.nlh, header_size(item->kind));
	memcpy(head, item->bytes, header_size(item->kind));
	if (item->kind == ITEM_ADDR)
		rewrite_addr(&w, head);
	else if (item->kind == ITEM_ROUTE)
		rewrite_route(&w, head);
	else
		rewrite_rule(&w, head);
	return (int)w.nlh->nlmsg_len;
}

/* ---- all of them ---- */

#define BATCH_MAX (2 * (TAKEOVER_BYTES_MAX + TAKEOVER_ITEMS_MAX * 64))
#define STEPS_MAX (2 * TAKEOVER_ITEMS_MAX + 2)

/**
 * struct batch - messages that go to the kernel together
 * @step:	which step of the plan each message is; @n of them
 */
struct batch {
	char *bytes;
	size_t len;
	size_t *step;
	size_t n;
	uint32_t first_seq;
};

/* What a step is refused with when it was done before. */
static bool is_done_already(enum takeover_op op, int error)
{
	if (op == TAKEOVER_DEL)
		return error == -ENOENT || error == -ESRCH || error == -EADDRNOTAVAIL ||
		       error == -ENODEV;
	return op == TAKEOVER_ADD && error == -EEXIST;
}

static const char *const op_words[] = {
	[TAKEOVER_PLUG] = "plug it into the bridge",
	[TAKEOVER_UNPLUG] = "take it out of the bridge",
	[TAKEOVER_ADD] = "move",
	[TAKEOVER_DEL] = "remove the old copy of",
	[TAKEOVER_SETTLE] = "set the flags of",
};
_Static_assert(ARRAY_SIZE(op_words) == TAKEOVER_OP_COUNT, "words for every step");

static const char *item_words(const struct takeover_item *item)
{
	static const char *const kinds[] = {
		[ITEM_ADDR] = " an address", [ITEM_ROUTE] = " a route", [ITEM_RULE] = " a rule"};

	return item ? kinds[item->kind] : "";
}

static int judge(const struct move *m, const struct takeover_step *step, int error, struct err *e)
{
	if (error == 0 || is_done_already(step->op, error))
		return 0;
	return err_set(e, error, "kernel", m->nic_name, "the kernel refused to %s%s: %s",
		       op_words[step->op], item_words(step->item), strerror(-error));
}

/* Errors come in the order of the messages; the last one has an answer in any case. */
static int take_answers(struct rtnl *r, const struct move *m, const struct takeover_plan *plan,
			const struct batch *b, struct err *e)
{
	uint32_t last = b->first_seq + (uint32_t)b->n - 1;
	int first = 0;

	for (;;) {
		int len = rtnl_receive(r->sk, r->buf, RTNL_RECV_SIZE);
		struct rtnl_messages messages = {.p = r->buf};
		const struct nlmsghdr *nlh;

		if (len < 0)
			return len;
		messages.left = (size_t)len;
		while ((nlh = rtnl_messages_next(&messages)) != NULL) {
			const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
			uint32_t i = nlh->nlmsg_seq - b->first_seq;

			if (nlh->nlmsg_type != NLMSG_ERROR || i >= b->n ||
			    mnl_nlmsg_get_payload_len(nlh) < sizeof(*err))
				continue;
			if (first == 0)
				first = judge(m, &plan->steps[b->step[i]], err->error, e);
			if (nlh->nlmsg_seq == last)
				return first;
		}
	}
}

static int batch_send(struct rtnl *r, const struct move *m, const struct takeover_plan *plan,
		      struct batch *b, size_t last_at, struct err *e)
{
	int r2;

	if (b->n == 0)
		return 0;
	((struct nlmsghdr *)(b->bytes + last_at))->nlmsg_flags |= NLM_F_ACK;
	if (m->before)
		m->before();
	if (mnl_socket_sendto(r->sk, b->bytes, b->len) < 0)
		return err_set(e, -errno, "kernel", m->nic_name,
			       "the kernel did not take the messages: %s", strerror(errno));
	for (size_t i = 0; i < b->n; i++)
		kernel_write_counted();
	r2 = take_answers(r, m, plan, b, e);
	b->n = 0;
	b->len = 0;
	return r2;
}

static int batch_all(struct rtnl *r, const struct move *m, const struct takeover_snapshot *s,
		     const struct takeover_plan *plan, struct batch *b, struct err *e)
{
	size_t last_at = 0;
	int first = 0, one;

	for (size_t i = 0; i < plan->n; i++) {
		struct nlmsghdr *nlh = (struct nlmsghdr *)(b->bytes + b->len);
		int len = move_message(m, s, plan->steps[i].op, plan->steps[i].item, nlh);

		if (len < 0)
			return len;
		if (len == 0)
			continue;
		nlh->nlmsg_seq = ++r->seq;
		if (b->n == 0)
			b->first_seq = nlh->nlmsg_seq;
		b->step[b->n++] = i;
		last_at = b->len;
		b->len += NLMSG_ALIGN((size_t)len);
		if (!m->before)
			continue;
		one = batch_send(r, m, plan, b, last_at, e);
		first = first ? first : one;
	}
	one = batch_send(r, m, plan, b, last_at, e);
	return first ? first : one;
}

int rtnl_move(struct rtnl *r, const struct move *m, const struct takeover_snapshot *s,
	      const struct takeover_plan *plan, struct err *e)
{
	struct batch b = {0};
	int err = -ENOMEM;

	b.bytes = malloc(BATCH_MAX + MOVE_MESSAGE_MAX);
	b.step = calloc(STEPS_MAX, sizeof(*b.step));
	if (b.bytes && b.step)
		err = batch_all(r, m, s, plan, &b, e);
	free(b.bytes);
	free(b.step);
	return err;
}
