/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace_json.c - see trace_json.h. Fields that have no value are left out of hops. */
#include "cli/trace_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "cli/diagnosis_show.h"
#include "cli/output.h"

#define TEXT_MAX 4096
#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_IP6 0x86dd

static void put_line(json_t *j)
{
	char *line = j ? json_dumps(j, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(16))
		       : NULL;

	if (line)
		puts(line);
	free(line);
	json_decref(j);
}

void trace_json_line(json_t *j)
{
	put_line(j);
	fflush(stdout);
}

static void set_text(json_t *o, const char *key, struct buf *text)
{
	if (text->len)
		json_object_set_new(o, key, json_string(buf_str(text)));
	buf_done(text);
}

static void set_address(json_t *o, const char *key, uint8_t family, const uint8_t addr[16])
{
	struct buf text = BUF_INIT(TEXT_MAX);

	if (family)
		address_text(family, addr, &text);
	set_text(o, key, &text);
}

static json_t *flow_json(const struct flow *f)
{
	json_t *o = json_object();

	set_address(o, "src", f->family, f->from.addr);
	set_address(o, "dst", f->family, f->to.addr);
	if (f->from.port)
		json_object_set_new(o, "sport", json_integer(f->from.port));
	if (f->to.port)
		json_object_set_new(o, "dport", json_integer(f->to.port));
	return o;
}

static json_t *decision_json(const struct path_decision *d)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "verdict", d->verdict, "family",
			      d->family, "table", d->table, "chain", d->chain, "base", d->base,
			      "hook", d->hook);

	json_object_set_new(o, "handle",
			    d->handle ? json_integer((json_int_t)d->handle) : json_null());
	json_object_set_new(o, "rule", d->rule[0] ? json_string(d->rule) : json_null());
	if (d->one_of[0])
		json_object_set_new(o, "one_of", json_string(d->one_of));
	return o;
}

static json_t *route_json(const struct path_route *r, const struct path_view *v)
{
	json_t *o = json_pack("{s:i}", "error", -r->err);
	char name[IFNAMSIZ];

	if (r->table)
		json_object_set_new(o, "table", json_integer(r->table));
	if (r->gw_family)
		set_address(o, "gateway", r->gw_family, r->gateway);
	if (r->head.ifindex)
		json_object_set_new(o, "dev",
				    json_string(device_name(v, (int)r->head.ifindex, name)));
	return o;
}

static json_t *ports_json(const struct hop *h, const struct path_view *v)
{
	json_t *a = json_array();
	char name[IFNAMSIZ];

	for (size_t i = 0; i < h->copies && i < ARRAY_SIZE(h->ports); i++)
		json_array_append_new(a, json_string(device_name(v, h->ports[i], name)));
	return a;
}

static void drop_json(json_t *o, const struct hop *h, const struct journey_words *w)
{
	const char *reason = w->reason(h->seen.reason, w->ctx);
	const char *function = w->function(h->seen.location, w->ctx);

	json_object_set_new(o, "reason", reason ? json_string(reason) : json_null());
	json_object_set_new(o, "function", function ? json_string(function) : json_null());
	if (h->decision.drops)
		json_object_set_new(o, "decision", decision_json(&h->decision));
}

static json_t *neigh_json(const struct hop *h)
{
	const char *state = !h->waited_ns ? "waiting" : h->failed ? "failed" : "known";
	json_t *o = json_pack("{s:s}", "state", state);

	set_address(o, "address", h->neigh.family, h->neigh.addr);
	if (h->waited_ns)
		json_object_set_new(o, "waited_us", json_real((double)h->waited_ns / 1e3));
	return o;
}

static json_t *hop_json(const struct hop *h, const struct journey *j, const struct journey_words *w,
			bool timed)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	json_t *o = json_pack("{s:s}", "hop", hop_name(h->kind));
	const char *why = w->why ? w->why(h, w->ctx) : "";
	char name[IFNAMSIZ];

	if (timed)
		json_object_set_new(o, "at_us",
				    json_real((double)(h->time_ns - j->begin_ns) / 1e3));
	if (h->ifindex)
		json_object_set_new(o, "dev", json_string(device_name(w->view, h->ifindex, name)));
	if (why[0])
		json_object_set_new(o, "why", json_string(why));
	hop_text(h, w, &text);
	set_text(o, "text", &text);
	if (h->pieces > 1)
		json_object_set_new(o, "pieces", json_integer((json_int_t)h->pieces));
	switch (h->kind) {
	case HOP_NAT:
		json_object_set_new(o, "before", flow_json(&h->before));
		json_object_set_new(o, "after", flow_json(&h->flow));
		break;
	case HOP_ROUTE:
		json_object_set_new(o, "route", route_json(&h->route, w->view));
		break;
	case HOP_FW:
		json_object_set_new(o, "decision", decision_json(&h->decision));
		break;
	case HOP_NEIGH:
		json_object_set_new(o, "neighbour", neigh_json(h));
		break;
	case HOP_BRIDGE_FWD:
		json_object_set_new(o, "ports", ports_json(h, w->view));
		json_object_set_new(o, "copies", json_integer((json_int_t)h->copies));
		break;
	case HOP_DROP:
		drop_json(o, h, w);
		break;
	default:
		break;
	}
	return o;
}

void trace_json_start(const struct subject *s, bool rules)
{
	json_t *ports = json_array();
	char name[IFNAMSIZ];

	for (size_t i = 0; i < s->n_ports; i++)
		json_array_append_new(ports, json_string(device_name(&s->view, s->ports[i], name)));
	trace_json_line(json_pack("{s:s, s:s, s:o, s:b}", "event", "start", "guest", s->name,
				  "ports", ports, "rules", rules));
}

void trace_json_blocked(const char *dev, const struct diagnosis *d)
{
	trace_json_line(json_pack("{s:s, s:s, s:o}", "event", "blocked", "port", dev, "diagnosis",
				  diagnosis_json(d)));
}

void trace_json_event(const struct path_head *head, size_t len, const char *what,
		      const struct tracing *t)
{
	const struct path_seen *s = (const struct path_seen *)head;
	const struct journey_words *w = tracing_words(t);
	char name[IFNAMSIZ], skb[32];
	uint8_t family = 0;
	json_t *o;

	snprintf(skb, sizeof(skb), "%llx", (unsigned long long)head->skb);
	o = json_pack("{s:s, s:I, s:s, s:f, s:s, s:i, s:s}", "event", "seen", "packet",
		      (json_int_t)head->packet, "what", what, "time",
		      (double)tracing_realtime(t, head->time_ns) / 1e9, "skb", skb, "cpu",
		      (int)head->cpu, "dev", device_name(w->view, (int)head->ifindex, name));

	if (head->type > PATH_ICMP || len < sizeof(*s)) {
		put_line(o);
		return;
	}
	if (s->ethertype == ETHERTYPE_IP4 || s->ethertype == ETHERTYPE_IP6)
		family = s->ethertype == ETHERTYPE_IP4 ? AF_INET : AF_INET6;
	set_address(o, "src", family, s->src);
	set_address(o, "dst", family, s->dst);
	json_object_update_new(
		o, json_pack("{s:i, s:i, s:i, s:i, s:I, s:i, s:I, s:b}", "protocol", (int)s->l4,
			     "sport", (int)s->sport, "dport", (int)s->dport, "ip_id", (int)s->ip_id,
			     "seq", (json_int_t)s->seq, "fragment", (int)s->frag_offset, "length",
			     (json_int_t)s->len, "copy", s->flags & PATH_CLONE));
	put_line(o);
}

static void set_times(json_t *o, const struct journey *j, const struct tracing *t)
{
	if (!t) {
		json_object_set_new(o, "predicted", json_true());
		return;
	}
	json_object_set_new(o, "time", json_real((double)tracing_realtime(t, j->begin_ns) / 1e9));
	json_object_set_new(o, "took_us", json_real((double)(j->last_ns - j->begin_ns) / 1e3));
}

void trace_json_journey(const struct journey *j, const struct journey_words *w,
			const struct tracing *t, const struct diagnosis *d)
{
	struct buf text = BUF_INIT(TEXT_MAX), end = BUF_INIT(TEXT_MAX),
		   message = BUF_INIT(TEXT_MAX);
	json_t *hops = json_array();
	json_t *o = json_object();

	for (size_t i = 0; i < j->n_hops; i++)
		json_array_append_new(hops, hop_json(&j->hops[i], j, w, t));
	json_object_set_new(o, "event", json_string("packet"));
	json_object_set_new(o, "packet", json_integer(j->packet));
	set_times(o, j, t);
	packet_text(&j->first, &text);
	set_text(o, "text", &text);
	packet_message(&j->first, &message);
	set_text(o, "message", &message);
	json_object_set_new(o, "flow", flow_json(&j->began));
	json_object_set_new(o, "length", json_integer(j->first.len));
	if (j->first.vlan)
		json_object_set_new(o, "vlan", json_integer(j->first.vlan));
	json_object_set_new(o, "direction", json_string(j->to_guest ? "in" : "out"));
	json_object_set_new(o, "verdict", json_string(journey_end_name(j->end)));
	if (t)
		journey_end_text(j, w, &end);
	else
		journey_prediction_text(j, w, &end);
	set_text(o, "end", &end);
	if (j->joined)
		json_object_set_new(o, "joined", json_integer(j->joined));
	json_object_set_new(o, "reply_to", j->answers ? json_integer(j->answers) : json_null());
	json_object_set_new(o, "hops", hops);
	json_object_set_new(o, "diagnosis", d ? diagnosis_json(d) : json_null());
	json_object_set_new(o, "hops_cut", json_integer((json_int_t)j->cut));
	trace_json_line(o);
}

void trace_json_end(uint64_t shown, uint64_t dropped, const struct tracing *t)
{
	struct tracing_loss loss = tracing_loss(t);

	trace_json_line(json_pack("{s:s, s:I, s:I, s:{s:I, s:I, s:I, s:I}}", "event", "end",
				  "packets", (json_int_t)shown, "dropped", (json_int_t)dropped,
				  "lost", "events", (json_int_t)loss.events, "packets",
				  (json_int_t)loss.journeys, "unreadable",
				  (json_int_t)loss.unreadable, "rested", (json_int_t)loss.rested));
}
