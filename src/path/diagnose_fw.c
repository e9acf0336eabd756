/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diagnose_fw.c - drops by rules: nf_tables in its own form and as iptables-nft and ebtables-nft write
 * it, iptables-legacy, and what conntrack refuses.
 *
 * What others drop is theirs: a mend only adds accepts, as narrow as the packet, in the place that the
 * tool in charge has for them. An accept in another table would not help: each base chain has its say.
 */
#include "path/diagnose_internal.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define OUR_TABLE "vmlane"
#define DHCP_SERVER 67

/**
 * struct opening - what has to be let through
 * @in, @out:	interfaces, "" for any
 * @src, @dst:	the guest's address in the direction out, and back; "" for any
 * @dport:	0: any
 * @both:	and the answers, the other way round
 */
struct opening {
	char in[IFNAMSIZ];
	char out[IFNAMSIZ];
	uint8_t family;
	uint8_t l4;
	uint16_t dport;
	struct address_str src;
	struct address_str dst;
	bool both;
	bool answers_only;
};

static const struct link_state *port_in(const struct look *l)
{
	for (size_t i = l->g->n_hops; i > 0; i--)
		if (l->g->hops[i - 1].kind == HOP_VM_OUT || l->g->hops[i - 1].kind == HOP_UPLINK_IN)
			return fact_link(l->f, l->g->hops[i - 1].ifindex);
	return NULL;
}

/* It never left the bridge: what the rules of ip saw of it came from br_netfilter. */
static bool is_bridged(const struct look *l)
{
	const struct link_state *in = port_in(l);

	for (size_t i = 0; i < l->g->n_hops; i++)
		if (l->g->hops[i].kind == HOP_BRIDGE_IN || l->g->hops[i].kind == HOP_ROUTE ||
		    l->g->hops[i].kind == HOP_HOST_OUT)
			return false;
	return in && in->master;
}

static void name_put(char ret[static IFNAMSIZ], const struct link_state *l)
{
	snprintf(ret, IFNAMSIZ, "%s", l ? l->name : "");
}

/* A reply to what the guest has sent, or what a server gets from outside? */
static bool is_reply(const struct look *l)
{
	return l->g->answers || (l->g->first.l4 == IPPROTO_TCP && (l->g->first.tcp_flags & 16));
}

/* The guest's address at the bridge @dev, or its network where it stands for all of that. */
static struct address_str guests_of(const struct look *l, const struct link_state *dev,
				    const uint8_t addr[16])
{
	struct address_str s = address_str(l->family, addr);
	const struct addr_state *net = NULL;
	char text[IP4_PREFIX_STRLEN];
	struct ip4_prefix p;
	struct in_addr a;

	memcpy(&a, addr, sizeof(a));
	if (l->f->guest.all && l->family == AF_INET && dev)
		net = fact_network(l->f, dev->ifindex, a);
	if (!net)
		return s;
	p = (struct ip4_prefix){ip4_network(&net->prefix), net->prefix.len};
	snprintf(s.text, sizeof(s.text), "%s", ip4_prefix_format(&p, text));
	return s;
}

static struct opening opening_of(const struct look *l)
{
	const struct path_seen *s = &l->drop->seen;
	struct opening o = {.family = l->family, .both = true};
	const struct link_state *in = port_in(l);

	if (is_bridged(l)) {
		name_put(o.in, fact_link(l->f, in->master));
		name_put(o.out, fact_link(l->f, in->master));
		return o;
	}
	name_put(o.in, l->in);
	name_put(o.out, l->out);
	o.answers_only = is_reply(l);
	if (!l->g->to_guest) {
		o.src = guests_of(l, l->in, s->src);
		return o;
	}
	o.dst = guests_of(l, l->out, s->dst);
	if (!o.answers_only && (s->l4 == IPPROTO_TCP || s->l4 == IPPROTO_UDP)) {
		o.l4 = s->l4;
		o.dport = s->dport;
	}
	return o;
}

static bool nameable(const struct opening *o)
{
	return (!o->in[0] || shell_quote(o->in).text[0] != '\'') &&
	       (!o->out[0] || shell_quote(o->out).text[0] != '\'');
}

static const char *l4_name(uint8_t l4)
{
	return l4 == IPPROTO_TCP ? "tcp" : "udp";
}

/* ---- one rule in the words of each tool ---- */

static void iptables_match(const struct opening *o, bool back, struct buf *out)
{
	const char *in = back ? o->out : o->in, *to = back ? o->in : o->out;
	const char *src = back ? o->dst.text : o->src.text, *dst = back ? o->src.text : o->dst.text;

	if (in[0])
		buf_printf(out, " -i %s", in);
	if (to[0])
		buf_printf(out, " -o %s", to);
	if (src[0])
		buf_printf(out, " -s %s", src);
	if (dst[0])
		buf_printf(out, " -d %s", dst);
	if (o->dport && !back)
		buf_printf(out, " -p %s --dport %u", l4_name(o->l4), o->dport);
	if (back || o->answers_only)
		buf_puts(out, " -m conntrack --ctstate RELATED,ESTABLISHED");
	buf_puts(out, " -j ACCEPT");
}

static void iptables_mend(const struct opening *o, const char *tool, const char *chain,
			  struct diagnosis *d)
{
	struct buf cmd = BUF_INIT(sizeof(d->mend) - 1);
	bool two = o->both && !o->answers_only && strcmp(o->in, o->out) != 0 && o->out[0];

	buf_printf(&cmd, "%s -I %s", tool, chain);
	iptables_match(o, false, &cmd);
	if (two) {
		buf_printf(&cmd, " && %s -I %s", tool, chain);
		iptables_match(o, true, &cmd);
	}
	if (!cmd.error)
		diagnosis_mend(d, "%s", buf_str(&cmd));
	buf_done(&cmd);
}

static void nft_match(const struct opening *o, bool back, struct buf *out)
{
	const char *in = back ? o->out : o->in, *to = back ? o->in : o->out;
	const char *src = back ? o->dst.text : o->src.text, *dst = back ? o->src.text : o->dst.text;
	const char *ip = o->family == AF_INET6 ? "ip6" : "ip";

	if (in[0])
		buf_printf(out, " iifname \"%s\"", in);
	if (to[0])
		buf_printf(out, " oifname \"%s\"", to);
	if (src[0])
		buf_printf(out, " %s saddr %s", ip, src);
	if (dst[0])
		buf_printf(out, " %s daddr %s", ip, dst);
	if (o->dport && !back)
		buf_printf(out, " %s dport %u", l4_name(o->l4), o->dport);
	if (back || o->answers_only)
		buf_puts(out, " ct state established,related");
	buf_puts(out, " accept");
}

static void nft_mend(const struct opening *o, const struct path_decision *p, struct diagnosis *d)
{
	struct buf cmd = BUF_INIT(sizeof(d->mend) - 1);
	bool two = o->both && !o->answers_only && strcmp(o->in, o->out) != 0 && o->out[0];

	buf_printf(&cmd, "nft 'insert rule %s %s %s", p->family, p->table, p->base);
	nft_match(o, false, &cmd);
	if (two) {
		buf_printf(&cmd, "; insert rule %s %s %s", p->family, p->table, p->base);
		nft_match(o, true, &cmd);
	}
	buf_puts(&cmd, "'");
	if (!cmd.error)
		diagnosis_mend(d, "%s", buf_str(&cmd));
	buf_done(&cmd);
}

/* ---- whose rule ---- */

/* iptables-nft's tables look so: "filter", with chains in capitals. */
static bool is_iptables(const struct path_decision *p)
{
	static const char *const tables[] = {"filter", "mangle", "raw", "security", "nat"};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		if (strcmp(p->table, tables[i]) == 0)
			return isupper((unsigned char)p->base[0]);
	return false;
}

static bool decided(const struct look *l)
{
	return l->drop->decision.drops;
}

static bool ours(const struct look *l)
{
	return decided(l) && strcmp(l->drop->decision.table, OUR_TABLE) == 0;
}

static void saw_rule(const struct path_decision *p, struct diagnosis *d)
{
	if (p->handle)
		diagnosis_saw(d, "rule", "%s %s %s handle %llu%s%.100s%s", p->family, p->table,
			      p->chain, (unsigned long long)p->handle, p->rule[0] ? " \"" : "",
			      p->rule, p->rule[0] ? "\"" : "");
	else
		diagnosis_saw(d, "rule", "%s %s %s policy %s", p->family, p->table, p->base,
			      p->verdict);
}

static void tell_ours(const struct look *l, struct diagnosis *d)
{
	const struct path_decision *p = &l->drop->decision;

	saw_rule(p, d);
	diagnosis_cause(d, "vmlane's own rules refuse it, as the network is configured");
	if (l->g->to_guest)
		diagnosis_advice(d, "new connections from outside reach a guest by its forwards: "
				    "vmlane guest attach --forward, or `forward` in its network's "
				    "file");
	else
		diagnosis_advice(d, "see vmlane network show, and the network's file");
}

static void cause_of(const struct look *l, struct diagnosis *d)
{
	const struct path_decision *p = &l->drop->decision;

	saw_rule(p, d);
	diagnosis_cause(d,
			"the firewall of this host drops it in %s: %s of chain %s in table %s %s%s",
			p->hook[0] ? p->hook : p->base, p->handle ? "a rule" : "the policy",
			p->handle ? p->chain : p->base, p->family, p->table,
			is_bridged(l) && strcmp(p->family, "bridge") != 0
				? "; br_netfilter shows it bridged frames too"
				: "");
	if (is_bridged(l) && strcmp(p->family, "bridge") != 0)
		diagnosis_saw(d, "sysctl", "net.bridge.bridge-nf-call-ip%stables = 1",
			      l->family == AF_INET6 ? "6" : "");
}

/*
 * firewalld decides by zones, and has none for guests; what other tools do for their containers is to put
 * them into the one that is trusted. Whoever comes from outside is not to be trusted.
 */
static void firewalld_mend(const struct look *l, const struct opening *o, struct diagnosis *d)
{
	if (l->g->to_guest || !o->in[0]) {
		diagnosis_advice(d, "firewalld is in charge here: allow it by a policy between the "
				    "two interfaces' zones, firewall-cmd --new-policy");
		return;
	}
	diagnosis_mend(d, "firewall-cmd --zone=trusted --change-interface=%s", o->in);
	diagnosis_advice(d,
			 "guests on %s may use all services of this host then; a zone of your own "
			 "with target ACCEPT can be narrower. It holds until firewalld is loaded "
			 "anew: once more with --permanent",
			 o->in);
}

/* ufw and firewalld want to be asked themselves: what goes past them is gone at their next reload. */
static bool manager_mend(const struct look *l, const struct opening *o, struct diagnosis *d)
{
	const struct path_decision *p = &l->drop->decision;
	bool forward = strcmp(p->hook, "forward") == 0;

	if (strcmp(p->table, "firewalld") == 0) {
		firewalld_mend(l, o, d);
		return true;
	}
	if (!l->f->chain("ip", "filter", "ufw-user-forward", l->f->ctx) || !o->in[0])
		return false;
	if (forward && o->out[0])
		diagnosis_mend(d, "ufw route allow in on %s out on %s%s%s", o->in, o->out,
			       o->src.text[0] ? " from " : "", o->src.text);
	else if (o->dport)
		diagnosis_mend(d, "ufw allow in on %s to any port %u proto %s", o->in, o->dport,
			       l4_name(o->l4));
	else
		diagnosis_mend(d, "ufw allow in on %s", o->in);
	return true;
}

static void put_accepts(const struct look *l, const struct opening *o, struct diagnosis *d)
{
	const struct path_decision *p = &l->drop->decision;
	const char *tool = strcmp(p->family, "ip6") == 0 ? "ip6tables-nft" : "iptables-nft";

	if (!nameable(o)) {
		diagnosis_advice(d, "accept it ahead of that rule, in the same chain");
		return;
	}
	if (manager_mend(l, o, d))
		return;
	if (!is_iptables(p)) {
		nft_mend(o, p, d);
	} else if (strcmp(p->hook, "forward") == 0 &&
		   l->f->chain(p->family, "filter", "DOCKER-USER", l->f->ctx)) {
		iptables_mend(o, tool, "DOCKER-USER", d);
		diagnosis_advice(d, "DOCKER-USER is the chain that Docker leaves to others; the "
				    "command is gone after a reboot");
		return;
	} else {
		iptables_mend(o, tool, p->base, d);
	}
	diagnosis_advice(d, "it holds until that firewall is loaded anew: write it into its "
			    "configuration, too");
}

static bool is_forward(const struct look *l)
{
	return decided(l) && (strcmp(l->drop->decision.hook, "forward") == 0) &&
	       strcmp(l->drop->decision.family, "bridge") != 0 &&
	       strcmp(l->drop->decision.family, "netdev") != 0;
}

static void tell_forward(const struct look *l, struct diagnosis *d)
{
	struct opening o = opening_of(l);

	cause_of(l, d);
	put_accepts(l, &o, d);
}

static bool is_input(const struct look *l)
{
	return decided(l) && strcmp(l->drop->decision.hook, "input") == 0 &&
	       strcmp(l->drop->decision.family, "bridge") != 0;
}

static bool is_dhcp(const struct look *l)
{
	return is_input(l) && l->drop->seen.l4 == IPPROTO_UDP && l->drop->seen.dport == DHCP_SERVER;
}

static struct opening input_opening(const struct look *l)
{
	const struct path_seen *s = &l->drop->seen;
	struct opening o = {.family = l->family};

	name_put(o.in, l->in);
	if (s->l4 == IPPROTO_TCP || s->l4 == IPPROTO_UDP) {
		o.l4 = s->l4;
		o.dport = s->dport;
	} else {
		o.src = address_str(l->family, s->src);
	}
	return o;
}

static void tell_input(const struct look *l, struct diagnosis *d)
{
	struct opening o = input_opening(l);

	cause_of(l, d);
	put_accepts(l, &o, d);
}

static void tell_dhcp(const struct look *l, struct diagnosis *d)
{
	struct opening o = input_opening(l);

	saw_rule(&l->drop->decision, d);
	diagnosis_cause(d,
			"the firewall of this host drops the guest's DHCP questions before a DHCP "
			"server on %s hears them: the guest gets no address",
			o.in);
	put_accepts(l, &o, d);
}

/* The family bridge sees ports; no conntrack is assumed there. */
static bool is_bridge_family(const struct look *l)
{
	return decided(l) && strcmp(l->drop->decision.family, "bridge") == 0;
}

static void tell_bridge_family(const struct look *l, struct diagnosis *d)
{
	const struct path_decision *p = &l->drop->decision;
	const struct link_state *in = port_in(l);
	const struct link_state *out =
		strcmp(p->hook, "forward") == 0 && l->dev && l->dev->master ? l->dev : NULL;
	const char *i = in ? in->name : "", *o = out ? out->name : "";

	cause_of(l, d);
	if (!in || shell_quote(i).text[0] == '\'' || (out && shell_quote(o).text[0] == '\'')) {
		diagnosis_advice(d, "accept it ahead of that rule, in the same chain");
		return;
	}
	if (is_iptables(p) && out)
		diagnosis_mend(
			d,
			"ebtables-nft -I %s -i %s -o %s -j ACCEPT && ebtables-nft -I %s -i %s "
			"-o %s -j ACCEPT",
			p->base, i, o, p->base, o, i);
	else if (is_iptables(p))
		diagnosis_mend(d, "ebtables-nft -I %s -i %s -j ACCEPT", p->base, i);
	else if (out)
		diagnosis_mend(
			d,
			"nft 'insert rule bridge %s %s iifname \"%s\" oifname \"%s\" accept; "
			"insert rule bridge %s %s iifname \"%s\" oifname \"%s\" accept'",
			p->table, p->base, i, o, p->table, p->base, o, i);
	else
		diagnosis_mend(d, "nft 'insert rule bridge %s %s iifname \"%s\" accept'", p->table,
			       p->base, i);
	diagnosis_advice(d, "it holds until that firewall is loaded anew: write it into its "
			    "configuration, too");
}

static void tell_decided(const struct look *l, struct diagnosis *d)
{
	cause_of(l, d);
	diagnosis_advice(d, "accept it ahead of that rule, in the same chain");
}

/* ---- conntrack ---- */

/*
 * After its source was translated only conntrack's confirmation is left, which refuses a connection
 * whose translated form another has already.
 */
static bool translated_source(const struct look *l)
{
	for (size_t i = 0; i < l->g->n_hops; i++) {
		const struct hop *h = &l->g->hops[i];

		if (h->kind == HOP_NAT && !l->g->to_guest &&
		    memcmp(&h->before.from, &h->flow.from, sizeof(h->flow.from)) != 0)
			return true;
	}
	return false;
}

static void tell_nat_ports(const struct look *l, struct diagnosis *d)
{
	struct address_str src = address_str(l->family, l->g->flow.from.addr);
	struct address_str dst = address_str(l->family, l->g->flow.to.addr);

	diagnosis_cause(d,
			"no port was left to translate it to: %s:%u towards %s:%u is another "
			"connection's already, and so were the others that were tried",
			src.text, l->g->flow.from.port, dst.text, l->g->flow.to.port);
	diagnosis_saw(d, "nat", "%s:%u > %s:%u", src.text, l->g->flow.from.port, dst.text,
		      l->g->flow.to.port);
	diagnosis_saw(d, "sysctl", "net.netfilter.nf_conntrack_count = %ld",
		      fact_number(l->f, 0, "net/netfilter/nf_conntrack_count"));
	diagnosis_advice(d,
			 "give the translation more ports (vmlane: `nat: ports:` of the network; "
			 "else the masquerade rule's `to :FIRST-LAST`), or another address");
}

static bool conntrack_full(const struct look *l)
{
	long max = fact_number(l->f, 0, "net/netfilter/nf_conntrack_max");

	return max > 0 && fact_number(l->f, 0, "net/netfilter/nf_conntrack_count") >= max;
}

static void tell_conntrack_full(const struct look *l, struct diagnosis *d)
{
	long max = fact_number(l->f, 0, "net/netfilter/nf_conntrack_max");

	diagnosis_cause(d, "conntrack's table is full: no new connection gets through this host");
	diagnosis_saw(d, "sysctl", "net.netfilter.nf_conntrack_count = %ld",
		      fact_number(l->f, 0, "net/netfilter/nf_conntrack_count"));
	diagnosis_saw(d, "sysctl", "net.netfilter.nf_conntrack_max = %ld", max);
	if (!l->f->writable("net/netfilter/nf_conntrack_max", l->f->ctx)) {
		diagnosis_advice(
			d,
			"the limit cannot be set in this network namespace: in the "
			"machine's first, sysctl -w net.netfilter.nf_conntrack_max=%ld; or "
			"see who has so many here: conntrack -L",
			max * 2);
		return;
	}
	diagnosis_mend(d, "sysctl -w net.netfilter.nf_conntrack_max=%ld", max * 2);
	diagnosis_advice(d, "each connection takes some 300 bytes of memory; see who has so many: "
			    "conntrack -L");
}

/* ---- iptables-legacy ---- */

static bool legacy(const struct look *l)
{
	static const char *const tables[] = {"filter", "mangle", "raw", "security"};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		if (l->f->legacy(l->family, tables[i], l->f->ctx))
			return true;
	return false;
}

static void tell_legacy(const struct look *l, struct diagnosis *d)
{
	const char *tool = l->family == AF_INET6 ? "ip6tables-legacy" : "iptables-legacy";
	bool input = l->route && l->route->ifindex && l->in == l->out && !is_bridged(l);
	const char *chain = input ? "INPUT" : "FORWARD";
	struct opening o = input ? input_opening(l) : opening_of(l);

	diagnosis_cause(d,
			"a rule or policy of %s drops it, or whatever else hangs on that hook; the "
			"kernel does not tell which rule: neither its number nor its chain can be "
			"seen%s",
			tool, is_bridged(l) ? " (br_netfilter shows it bridged frames too)" : "");
	diagnosis_saw(d, "hook", "%s", input ? "input" : "forward");
	if (is_bridged(l))
		diagnosis_saw(d, "sysctl", "net.bridge.bridge-nf-call-ip%stables = 1",
			      l->family == AF_INET6 ? "6" : "");
	if (nameable(&o))
		iptables_mend(&o, tool, chain, d);
	diagnosis_advice(d, "if that does not do, look at the other tables: %s-save", tool);
}

/* Rules of nf_tables drop there, and nobody told which. */
static void tell_unseen(const struct look *l, struct diagnosis *d)
{
	diagnosis_cause(d, "a rule of the host's firewall (nf_tables) drops it; which one was not "
			   "seen");
	diagnosis_saw(d, "interface", "%s", l->dev ? l->dev->name : "?");
	diagnosis_advice(d, "nft list ruleset shows them");
}

static const struct drop_case cases[] = {
	{"guard", NULL, {NULL}, is_guard, tell_guard},
	{"guard", NULL, {NULL}, is_guard_by_hand, tell_guard_by_hand},
	{"policy-rule", NULL, {NULL}, is_policy_rule, tell_policy_rule},
	{"policy-host", NULL, {NULL}, is_closed_host, tell_closed_host},
	{"policy-metadata", NULL, {NULL}, is_metadata, tell_metadata},
	{"policy-limit", NULL, {NULL}, is_limit, tell_limit},
	{"vmlane-policy", NULL, {NULL}, ours, tell_ours},
	{"firewall-dhcp", NULL, {NULL}, is_dhcp, tell_dhcp},
	{"firewall-input", NULL, {NULL}, is_input, tell_input},
	{"firewall-forward", NULL, {NULL}, is_forward, tell_forward},
	{"firewall-bridge", NULL, {NULL}, is_bridge_family, tell_bridge_family},
	{"firewall", NULL, {NULL}, decided, tell_decided},
	{"nat-ports", "NETFILTER_DROP", {"nf_hook_slow"}, translated_source, tell_nat_ports},
	{"conntrack-full", "NETFILTER_DROP", {"nf_hook_slow"}, conntrack_full, tell_conntrack_full},
	{"firewall-legacy", "NETFILTER_DROP", {"nf_hook_slow"}, legacy, tell_legacy},
	{"firewall-unseen", "NETFILTER_DROP", {"nft_do_chain"}, NULL, tell_unseen},
};

bool diagnose_firewall(const struct look *l, struct diagnosis *d)
{
	return drop_case_find(cases, ARRAY_SIZE(cases), l, d);
}
