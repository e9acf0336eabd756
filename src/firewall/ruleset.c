/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ruleset.c - struct fw_desired -> the text of the table `inet vmlane`. Pure: no kernel, no clock.
 * Next on the walk: nft.c hands the text to the kernel.
 *
 * How a packet walks the table (every lookup is a hash, so none costs more with more networks):
 *
 *   forward   from a bridge -> guest_LEN: the source has to be in the bridge's own subnet and the
 *             way out a permitted one; conntrack's opinion comes last, so that a forged source
 *             cannot ride on another guest's established connection.
 *             to a bridge   -> to_guest: replies and what belongs to them; new connections only
 *             by a permitted way in. -> shut_in where nothing of the outside gets in: replies to
 *             what got out before it was so do not pass either.
 *             Peers' bridges are ways out of each other. A connection's first packet meets the
 *             networks' policies on its way; see policy.h.
 *   input     from a bridge -> host_LEN: forged sources do not reach the host itself either.
 *             0.0.0.0 may: it is the DHCP client without an address. Where the host is not in the
 *             network -> shut_out: the bridge has no address, but the host would answer for each
 *             other one of its own.
 *             What is let so far goes on to to_host, where the network's policy has its say.
 *   postrouting  bridge . uplink -> snat_MIN_MAX, in mode nat; translate.c has those chains.
 *   prerouting, output  the host's own addresses -> port forwards; see forwards.h.
 *
 * LEN is the subnet's prefix length: `sources` holds bridge . network address, and the chain masks
 * the source before it looks. One interval set would save those chains, but costs every packet
 * four times as much (a concatenation with ranges is matched nibble by nibble).
 *
 * bridge . bridge is in `bridged`: with br_netfilter loaded the kernel shows us frames which
 * guests of one network exchange inside the bridge. Those are switched, not routed: every source
 * and protocol passes, as it does without br_netfilter.
 *
 * IPv6 leaves each of these chains for one of its own, in ipv6.c.
 *
 * What is for the bridge's own MAC is routed back, though: `turned` has those of networks with
 * isolated guests, who could reach each other so. What a port forward (DNAT) turns is meant to.
 *
 * What it leaves to the kernel's route lookup: the gateway's own address as source, which is a
 * martian for it whatever rp_filter says.
 */
#include "firewall/ruleset.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "firewall/chains.h"
#include "firewall/forwards.h"
#include "firewall/ipv6.h"
#include "firewall/lines.h"
#include "firewall/policy.h"
#include "firewall/translate.h"

#define TABLE "inet vmlane"

/*
 * POLICY_HOST_RULES_MAX of the longest rules there can be, at 5 KiB each with counters, logging and each
 * way to match, and their sets.
 */
#define SKELETON_MAX (128 * 1024 * 1024)

/* What most networks have: always there, so that the last of them leaving changes no chains. */
#define DEFAULT_LEN 24

/* The part of a line that must be unique in its set or map: all before the verdict. */
static size_t key_len(const char *line)
{
	const char *verdict = strstr(line, " : ");

	return verdict ? (size_t)(verdict - line) : strlen(line);
}

static bool same_key(const char *a, const char *b)
{
	size_t len = key_len(a);

	return len == key_len(b) && memcmp(a, b, len) == 0;
}

/*
 * Inside nft's quotes a '*' is a wildcard, a '\' an escape and a '"' the end; ':' and blanks are
 * in no interface name, and key_len() counts on that.
 */
bool fw_ifname_quotable(const char *name)
{
	size_t len = strnlen(name, IFNAMSIZ);

	if (len == 0 || len == IFNAMSIZ)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c <= ' ' || c == 0x7f || strchr("\"*\\:/", c))
			return false;
	}
	return true;
}

/* From outside of the host's networks nothing gets in: not even replies to what once got out. */
static bool is_shut(const struct fw_network *n)
{
	return n->mode == NETWORK_ISOLATED ||
	       (n->mode == NETWORK_ROUTED && n->inbound == INBOUND_NONE);
}

static int check_network(const struct fw_network *n)
{
	if (!fw_ifname_quotable(n->bridge))
		return -EINVAL;
	for (size_t i = 0; i < n->n_uplinks; i++)
		if (!fw_ifname_quotable(n->uplinks[i]) || strcmp(n->uplinks[i], n->bridge) == 0)
			return -EINVAL;
	if (is_shut(n) && n->n_uplinks)
		return -EINVAL;
	if (n->subnet.len > 32 || (n->subnet.len < 1 && n->mode != NETWORK_ISOLATED))
		return -EINVAL;
	for (size_t i = 0; i < n->n_uplinks6; i++)
		if (!fw_ifname_quotable(n->uplinks6[i]) || strcmp(n->uplinks6[i], n->bridge) == 0)
			return -EINVAL;
	if (!fw_forwards_possible(n, is_shut(n)) || fw_ipv6_check(n) < 0 ||
	    fw_policy_check(n) < 0 || (is_shut(n) && n->n_uplinks6))
		return -EINVAL;
	return n->mode == NETWORK_NAT ? fw_translate_check(n) : 0;
}

/* Who the guests may say they are, and where they may go with that. */
static void source_elements(const struct fw_network *n, struct lines *out)
{
	char addr[IP4_STRLEN];

	if (n->subnet.len == 0) {
		lines_add(out, "guests\t\"%s\" : goto shut_out", n->bridge);
		lines_add(out, "hosts\t\"%s\" : goto shut_out", n->bridge);
		return;
	}
	ip4_format(ip4_network(&n->subnet), addr);
	lines_add(out, "guests\t\"%s\" : goto guest_%u", n->bridge, n->subnet.len);
	lines_add(out, "hosts\t\"%s\" : goto host_%u", n->bridge, n->subnet.len);
	lines_add(out, "sources\t\"%s\" . %s", n->bridge, addr);
}

static void network_elements(const struct fw_network *n, struct lines *out)
{
	char mac[MAC_STRLEN];

	source_elements(n, out);
	fw_ipv6_elements(n, out);
	fw_policy_elements(n, out);
	lines_add(out, "bridges\t\"%s\" : goto %s", n->bridge, is_shut(n) ? "shut_in" : "to_guest");
	lines_add(out, "bridged\t\"%s\" . \"%s\"", n->bridge, n->bridge);
	if (n->isolates)
		lines_add(out, "turned\t\"%s\" . %s", n->bridge, mac_format(&n->mac, mac));
	for (size_t i = 0; i < n->n_uplinks; i++) {
		lines_add(out, "ways_out\t\"%s\" . \"%s\"", n->bridge, n->uplinks[i]);
		if (n->mode == NETWORK_ROUTED && n->inbound == INBOUND_ACCEPT)
			lines_add(out, "ways_in\t\"%s\" . \"%s\"", n->uplinks[i], n->bridge);
	}
	if (n->mode == NETWORK_NAT)
		fw_translate_elements(n, out);
}

/*
 * What TCP is told at a connection's beginning fits both ways, that of the packet and that back,
 * with what the kernel has learnt of them: a router that answers large packets with nothing harms
 * nobody then. It only ever lowers the number. Other packets cost one comparison.
 */
#define CLAMP "		tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu\n"

/* Before what comes from a bridge and goes to the same one is accepted as bridged. */
#define TURNED                                                                                     \
	"		iifname . oifname @bridged iifname . ether daddr @turned"                               \
	" ct status & dnat == 0 counter name refused_out drop\n"

static const char table_head[] = "table " TABLE " {\n"
				 "	counter spoofed { }\n"
				 "	counter refused_in { }\n"
				 "	counter refused_out { }\n"
				 "	counter invalid { }\n"
				 "	counter closed { }\n"
				 "	set bridged { type ifname . ifname; }\n"
				 "	set sources { type ifname . ipv4_addr; }\n"
				 "	set turned { type ifname . ether_addr; }\n"
				 "	set ways_out { type ifname . ifname; }\n"
				 "	set ways_in { type ifname . ifname; }\n";

static const char table_ways[] = FORWARDS_SETS
	"	chain refuse_out {\n" TURNED
	"		iifname . oifname @bridged accept\n" FORWARDS_VISIT
	"		counter name refused_out reject with icmpx admin-prohibited\n"
	"	}\n"
	"	chain stranger {\n" TURNED "		iifname . oifname @bridged accept\n"
	"		counter name spoofed drop\n"
	"	}\n"
	"	chain way_out {\n"
	"		ct state invalid,untracked counter name invalid drop\n" CLAMP
	"		ct state new jump new_out\n"
	"		accept\n"
	"	}\n"
	"	chain to_guest {\n" CLAMP "		ct state established,related accept\n"
	"		ct state invalid counter name invalid drop\n" FW_POLICY_JUDGED
	"		oifname vmap @policy_in\n"
	"		meta nfproto ipv6 goto new_in_6\n"
	"		iifname . oifname @ways_in accept\n" FORWARDS_IN
	"		counter name refused_in reject with icmpx admin-prohibited\n"
	"	}\n"
	"	chain shut_in {\n"
	"		iifname . oifname @bridged accept\n"
	"		counter name refused_in drop\n"
	"	}\n"
	"	chain shut_out {\n"
	"		iifname . oifname @bridged accept\n"
	"		counter name refused_out drop\n"
	"	}\n";

static const char table_tail[] =
	"	map bridges { type ifname : verdict; }\n"
	"	map guests { type ifname : verdict; }\n"
	"	map hosts { type ifname : verdict; }\n"
	"	map translate { type ifname . ifname : verdict; }\n"
	"	chain forward {\n"
	"		type filter hook forward priority filter; policy accept;\n"
	"		iifname vmap @guests\n"
	"		oifname vmap @bridges\n"
	"		meta nfproto ipv6 goto others_6\n"
	"	}\n"
	"	chain input {\n"
	"		type filter hook input priority filter; policy accept;\n"
	"		iifname vmap @hosts\n"
	"	}\n" FORWARDS_HOOKS "	chain postrouting {\n"
	"		type nat hook postrouting priority srcnat; policy accept;\n"
	"		meta nfproto ipv6 goto translate_6\n"
	"		iifname . oifname vmap @translate\n" FORWARDS_BACK "	}\n"
	"}\n";

/*
 * The rules of a chain for prefix length @len that send forged sources to @verdict: those of
 * another subnet, and the two addresses of this one that are nobody's.
 */
static void source_rules(unsigned int len, const char *verdict, struct buf *out)
{
	char mask[IP4_STRLEN], host_part[IP4_STRLEN];
	uint32_t bits = ip4_mask_host((uint8_t)len);

	ip4_format(ip4_from_host(bits), mask);
	ip4_format(ip4_from_host(~bits), host_part);
	buf_printf(out, "		iifname . (ip saddr & %s) != @sources %s\n", mask, verdict);
	if (len < 31)
		buf_printf(out, "		ip saddr & %s { 0.0.0.0, %s } %s\n", host_part,
			   host_part, verdict);
}

static void source_chains(unsigned int len, struct buf *out)
{
	buf_printf(out, "	chain guest_%u {\n", len);
	buf_puts(out, "		meta nfproto ipv6 goto guest_6\n");
	source_rules(len, "goto stranger", out);
	buf_puts(out, "		iifname . oifname @ways_out goto way_out\n"
		      "		goto refuse_out\n"
		      "	}\n");
	buf_printf(out, "	chain host_%u {\n", len);
	buf_puts(out, "		meta nfproto ipv6 goto host_6\n" FORWARDS_LOOPBACK
		      "		ip saddr 0.0.0.0 goto to_host\n");
	source_rules(len, "counter name spoofed drop", out);
	buf_puts(out, "		goto to_host\n"
		      "	}\n");
	fw_forwards_chain(len, out);
}

static int build_skeleton(const struct fw_desired *d, char **ret)
{
	struct buf out = BUF_INIT(SKELETON_MAX);
	bool lens[33] = {[DEFAULT_LEN] = true};
	int r;

	for (size_t i = 0; i < d->n; i++)
		lens[d->networks[i].subnet.len] = true;
	buf_puts(&out, table_head);
	fw_policy_skeleton(&out);
	buf_puts(&out, table_ways);
	fw_ipv6_chains(&out);
	for (unsigned int len = 1; len < ARRAY_SIZE(lens); len++)
		if (lens[len])
			source_chains(len, &out);
	r = fw_translate_chains(d, &out);
	if (!r)
		r = fw_policy_chains(d, &out);
	buf_puts(&out, table_tail);
	if (!r)
		r = out.error;
	if (!r)
		*ret = buf_steal(&out);
	buf_done(&out);
	return r;
}

static int build_elements(const struct fw_desired *d, struct lines *ret)
{
	struct lines l = {0};

	for (size_t i = 0; i < d->n; i++) {
		network_elements(&d->networks[i], &l);
		fw_forwards_elements(&d->networks[i], &l);
	}
	if (fw_forwards_exist(d))
		for (size_t i = 0; i < d->n; i++)
			if (!is_shut(&d->networks[i]))
				lines_add(&l, "visitors\t\"%s\"", d->networks[i].bridge);
	for (size_t i = 0; i < d->n_peers; i++)
		lines_add(&l, "ways_out\t\"%s\" . \"%s\"", d->peers[i].from, d->peers[i].to);
	fw_ipv6_host_elements(d, &l);
	lines_sort_unique(&l);
	for (size_t i = 1; i < l.n && !l.error; i++)
		if (same_key(l.v[i - 1], l.v[i]))
			l.error = -EEXIST;
	if (l.error) {
		int r = l.error;

		lines_done(&l);
		return r;
	}
	*ret = l;
	return 0;
}

static int check_names(const struct fw_desired *d)
{
	for (size_t i = 0; i < d->n_peers; i++)
		if (!fw_ifname_quotable(d->peers[i].from) || !fw_ifname_quotable(d->peers[i].to))
			return -EINVAL;
	for (size_t i = 0; i < d->n_closed; i++)
		if (!fw_ifname_quotable(d->closed[i]))
			return -EINVAL;
	return 0;
}

int fw_ruleset_build(const struct fw_desired *d, struct fw_ruleset *ret)
{
	struct lines elements = {0};
	char *skeleton = NULL;
	int r;

	for (size_t i = 0; i < d->n; i++) {
		r = check_network(&d->networks[i]);
		if (r < 0)
			return r;
	}
	if (check_names(d) < 0)
		return -EINVAL;
	r = build_skeleton(d, &skeleton);
	if (r < 0)
		return r;
	r = build_elements(d, &elements);
	if (r < 0) {
		free(skeleton);
		return r;
	}
	*ret = (struct fw_ruleset){.table = TABLE,
				   .skeleton = skeleton,
				   .elements = elements.v,
				   .n_elements = elements.n};
	return 0;
}

void fw_ruleset_done(struct fw_ruleset *r)
{
	for (size_t i = 0; i < r->n_elements; i++)
		free(r->elements[i]);
	free(r->elements);
	free(r->skeleton);
	*r = (struct fw_ruleset){0};
}

/**
 * struct command - `add element` or `delete element` commands under construction
 * @table:	"inet vmlane"
 * @verb:	"add" or "delete"
 * @set:	start of the line whose set the open command is for; NULL when none is open
 * @set_len:	length of that set's name
 */
struct command {
	struct buf *out;
	const char *table;
	const char *verb;
	const char *set;
	size_t set_len;
};

static void command_close(struct command *c)
{
	if (c->set)
		buf_puts(c->out, " }\n");
	c->set = NULL;
}

/* Lines of one set share a command: a thousand networks are seven commands. */
static void command_element(struct command *c, const char *line, bool with_verdict)
{
	size_t set_len = strcspn(line, "\t");
	size_t len = with_verdict ? strlen(line) : key_len(line);

	if (c->set && c->set_len == set_len && memcmp(c->set, line, set_len) == 0) {
		buf_puts(c->out, ", ");
	} else {
		command_close(c);
		buf_printf(c->out, "%s element %s %.*s { ", c->verb, c->table, (int)set_len, line);
		c->set = line;
		c->set_len = set_len;
	}
	buf_append(c->out, line + set_len + 1, len - set_len - 1);
}

void fw_ruleset_full(const struct fw_ruleset *r, struct buf *out)
{
	struct command add = {.out = out, .table = r->table, .verb = "add"};

	/* The first line is for the second, which fails where there is no table. */
	buf_printf(out, "add table %s\ndelete table %s\n", r->table, r->table);
	buf_puts(out, r->skeleton);
	for (size_t i = 0; i < r->n_elements; i++)
		command_element(&add, r->elements[i], true);
	command_close(&add);
}

/* One command for each element of @a that is not in @b; returns how many. */
static int difference(const struct fw_ruleset *a, const struct fw_ruleset *b, struct command *c)
{
	bool adding = c->verb[0] == 'a';
	int count = 0;
	size_t j = 0;

	for (size_t i = 0; i < a->n_elements; i++) {
		int order = 1;

		while (j < b->n_elements && (order = strcmp(b->elements[j], a->elements[i])) < 0)
			j++;
		if (j < b->n_elements && order == 0)
			continue;
		command_element(c, a->elements[i], adding);
		count++;
	}
	command_close(c);
	return count;
}

int fw_ruleset_delta(const struct fw_ruleset *from, const struct fw_ruleset *to, struct buf *out)
{
	_cleanup_(buf_done) struct buf gone = BUF_INIT(SKELETON_MAX), come = BUF_INIT(SKELETON_MAX);
	struct command del = {.out = out, .table = to->table, .verb = "delete"};
	struct command add = {.out = out, .table = to->table, .verb = "add"};
	int n = chains_diff(to->table, from->skeleton, to->skeleton, &come, &gone);

	if (n < 0)
		return n;
	/*
	 * Deletions come first: a changed verdict is the same key once more. A chain is there before
	 * the verdicts that lead to it, and goes after them.
	 */
	n += difference(from, to, &del);
	buf_puts(out, buf_str(&come));
	n += difference(to, from, &add);
	buf_puts(out, buf_str(&gone));
	return out->error ? out->error : n;
}
