/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * takeover.c - what belongs to a NIC, and in which order it moves to a bridge and back; see
 * takeover.h. Next on the walk: kernel/rtnl_move.c makes messages of the steps.
 */
#include "model/takeover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/err.h"

/* ---- the snapshot ---- */

void takeover_snapshot_done(struct takeover_snapshot *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i].bytes);
	free(s->items);
	*s = (struct takeover_snapshot){0};
}

int takeover_snapshot_add(struct takeover_snapshot *s, const struct takeover_item *item)
{
	struct takeover_item *items, copy = *item;

	if (s->n == TAKEOVER_ITEMS_MAX || item->len > TAKEOVER_ITEM_MAX ||
	    s->bytes + item->len > TAKEOVER_BYTES_MAX)
		return -E2BIG;
	copy.bytes = malloc(item->len + (size_t)1);
	if (!copy.bytes)
		return -ENOMEM;
	memcpy(copy.bytes, item->bytes, item->len);
	items = reallocarray(s->items, s->n + 1, sizeof(*items));
	if (!items) {
		free(copy.bytes);
		return -ENOMEM;
	}
	s->items = items;
	s->items[s->n++] = copy;
	s->bytes += item->len;
	return 0;
}

#define PACK_VERSION 1

/* struct pack_head, struct pack_item - on disk, in this host's byte order: it never leaves it. */
struct pack_head {
	uint32_t version;
	uint32_t n;
	int32_t ifindex;
	char ifname[IFNAMSIZ];
	uint64_t taken_us;
};

struct pack_item {
	uint16_t kind;
	uint16_t len;
	uint8_t family;
	uint8_t gateway;
	uint8_t multipath;
	uint8_t zero;
};

void takeover_pack(const struct takeover_snapshot *s, struct buf *out)
{
	struct pack_head h = {
		.version = PACK_VERSION,
		.n = (uint32_t)s->n,
		.ifindex = s->ifindex,
		.taken_us = s->taken_us,
	};

	memcpy(h.ifname, s->ifname, sizeof(h.ifname));
	buf_append(out, &h, sizeof(h));
	for (size_t i = 0; i < s->n; i++) {
		const struct takeover_item *item = &s->items[i];
		const struct pack_item p = {
			.kind = (uint16_t)item->kind,
			.len = item->len,
			.family = item->family,
			.gateway = item->gateway,
			.multipath = item->multipath,
		};

		buf_append(out, &p, sizeof(p));
		buf_append(out, item->bytes, item->len);
	}
}

static int unpack_item(const uint8_t **at, size_t *left, struct takeover_snapshot *s)
{
	struct takeover_item item = {0};
	uint8_t bytes[TAKEOVER_ITEM_MAX];
	struct pack_item p;
	int r;

	if (*left < sizeof(p))
		return -EBADMSG;
	memcpy(&p, *at, sizeof(p));
	if (p.kind >= ITEM_KIND_COUNT || p.len > sizeof(bytes) || p.len > *left - sizeof(p) ||
	    (p.family != AF_INET && p.family != AF_INET6))
		return -EBADMSG;
	memcpy(bytes, *at + sizeof(p), p.len);
	item.kind = (enum item_kind)p.kind;
	item.family = p.family;
	item.gateway = p.gateway;
	item.multipath = p.multipath;
	item.len = p.len;
	item.bytes = bytes;
	r = takeover_snapshot_add(s, &item);
	*at += sizeof(p) + p.len;
	*left -= sizeof(p) + p.len;
	return r == -E2BIG ? -EBADMSG : r;
}

int takeover_unpack(const void *bytes, size_t len, struct takeover_snapshot *ret)
{
	struct takeover_snapshot s = {0};
	const uint8_t *at = bytes;
	struct pack_head h;
	int r = 0;

	if (len < sizeof(h))
		return -EBADMSG;
	memcpy(&h, at, sizeof(h));
	at += sizeof(h);
	len -= sizeof(h);
	if (h.version != PACK_VERSION || h.n > TAKEOVER_ITEMS_MAX ||
	    !memchr(h.ifname, '\0', sizeof(h.ifname)))
		return -EBADMSG;
	memcpy(s.ifname, h.ifname, sizeof(s.ifname));
	s.ifindex = h.ifindex;
	s.taken_us = h.taken_us;
	for (uint32_t i = 0; i < h.n && r == 0; i++)
		r = unpack_item(&at, &len, &s);
	if (r == 0 && len)
		r = -EBADMSG;
	if (r < 0)
		takeover_snapshot_done(&s);
	else
		*ret = s;
	return r;
}

/* ---- the steps ---- */

/* In which round an item is added: what the later ones stand on comes first. */
static int round_of(const struct takeover_item *i)
{
	if (i->kind == ITEM_ADDR)
		return 0;
	if (i->kind == ITEM_ROUTE)
		return i->gateway ? 2 : 1;
	return 3;
}

#define ROUNDS 4

static void put(struct takeover_plan *p, enum takeover_op op, const struct takeover_item *item)
{
	p->steps[p->n++] = (struct takeover_step){op, item};
}

static void put_round(struct takeover_plan *p, const struct takeover_snapshot *s, int round,
		      uint8_t family, bool backwards, enum takeover_op op)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct takeover_item *item = &s->items[backwards ? s->n - 1 - i : i];

		if (round_of(item) == round && item->family == family)
			put(p, op, item);
	}
}

int takeover_plan_move(const struct takeover_snapshot *s, bool home, struct takeover_plan *ret)
{
	struct takeover_plan p = {0};

	p.steps = calloc(2 * s->n + 1, sizeof(*p.steps));
	if (!p.steps)
		return -ENOMEM;
	if (home)
		put(&p, TAKEOVER_UNPLUG, NULL);
	for (int round = 0; round < ROUNDS; round++) {
		put_round(&p, s, round, AF_INET, false, TAKEOVER_ADD);
		put_round(&p, s, round, AF_INET6, round == 0, TAKEOVER_ADD);
	}
	for (int round = ROUNDS - 1; round >= 0; round--) {
		put_round(&p, s, round, AF_INET6, round != 0, TAKEOVER_DEL);
		put_round(&p, s, round, AF_INET, true, TAKEOVER_DEL);
	}
	*ret = p;
	return 0;
}

int takeover_plan_plug(struct takeover_plan *ret)
{
	struct takeover_plan p = {0};

	p.steps = calloc(1, sizeof(*p.steps));
	if (!p.steps)
		return -ENOMEM;
	put(&p, TAKEOVER_PLUG, NULL);
	*ret = p;
	return 0;
}

int takeover_plan_settle(const struct takeover_snapshot *s, struct takeover_plan *ret)
{
	struct takeover_plan p = {0};

	p.steps = calloc(s->n + 1, sizeof(*p.steps));
	if (!p.steps)
		return -ENOMEM;
	put_round(&p, s, 0, AF_INET6, true, TAKEOVER_SETTLE);
	*ret = p;
	return 0;
}

void takeover_plan_done(struct takeover_plan *p)
{
	free(p->steps);
	*p = (struct takeover_plan){0};
}

/* ---- may this NIC be taken? ---- */

static int refuse_kind(const struct nic_facts *f, struct err *e)
{
	if (!f->exists)
		return err_set(e, -ENODEV, "no-uplink", f->name,
			       "there is no interface %s; `ip link` lists those there are",
			       f->name);
	if (f->loopback)
		return err_set(
			e, -EINVAL, "bad-uplink", f->name,
			"%s is the loopback interface, which leads nowhere; name the NIC that "
			"is on the LAN",
			f->name);
	if (f->wireless)
		return err_set(
			e, -EINVAL, "wireless", f->name,
			"%s is a Wi-Fi interface: access points take frames only from the MAC "
			"that has joined, so it cannot be bridged; use a network of `mode: "
			"nat`, which works over Wi-Fi",
			f->name);
	if (f->ours || strcmp(f->kind, "tun") == 0 || strcmp(f->kind, "bridge") == 0)
		return err_set(e, -EINVAL, "bad-uplink", f->name, "%s is a %s%s, not a NIC; %s",
			       f->name, f->ours ? "vmlane's own " : "",
			       strcmp(f->kind, "tun") == 0 ? "tap" : f->kind,
			       !f->ours && strcmp(f->kind, "bridge") == 0
				       ? "to use that bridge as it is, write `bridge:` in place of "
					 "`uplink:`"
				       : "name the NIC that is on the LAN");
	if (!f->ethernet)
		return err_set(
			e, -EINVAL, "bad-uplink", f->name,
			"%s does not carry Ethernet frames and so cannot be bridged; use `mode: "
			"nat`",
			f->name);
	return 0;
}

static int refuse_owner(const struct nic_facts *f, struct err *e)
{
	if (f->bridge[0])
		return err_set(
			e, -EBUSY, "in-bridge", f->name,
			"%s is a port of bridge %s already; to use that bridge as it is, write "
			"`bridge: %s` in place of `uplink:`",
			f->name, f->bridge, f->bridge);
	if (f->manager[0])
		return err_set(
			e, -EBUSY, "managed", f->name,
			"%s configures %s (%s) and would undo this; make the bridge there (as "
			"br0, say) and write `bridge: br0` in place of `uplink:`, or take the "
			"interface away from it first",
			f->manager, f->name, f->manager_where);
	if (f->nexthops)
		return err_set(
			e, -EBUSY, "nexthops", f->name,
			"routes over %s use next-hop objects (`ip nexthop`), which vmlane does "
			"not move; write them as plain routes",
			f->name);
	return 0;
}

int takeover_refuse(const struct nic_facts *f, const char *network, bool force, struct err *e)
{
	int r = refuse_kind(f, e);

	if (r == 0)
		r = refuse_owner(f, e);
	if (r == 0 && f->dhcp_client[0] && !force)
		r = err_set(
			e, -EBUSY, "dhcp-client", f->name,
			"%s (pid %d) keeps the address of %s by DHCP and would lose it when the "
			"lease ends; give %s a fixed address, or `--force` and then run the client "
			"on the bridge of network %s",
			f->dhcp_client, f->dhcp_pid, f->name, f->name, network);
	return r;
}
