/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_eval_main.c - path/nft_eval.h as a program, for tests/netns/test_nft_eval.py: a JSON object on
 * each line of stdin, an answer on each line of stdout. {"load": true} reads the ruleset of the
 * namespace; anything else is a packet at a hook.
 */
#include <arpa/inet.h>
#include <jansson.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/macro.h"
#include "path/nft_eval.h"
#include "path/nft_fib.h"

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void say(json_t *answer)
{
	json_dumpf(answer, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(answer);
}

static int load(struct nftprog **p)
{
	long long begin = now_us();
	struct err e = {0};
	int r;

	nftprog_free(*p);
	*p = NULL;
	r = nftprog_load(p, &e);
	say(json_pack("{s:i, s:s, s:I}", "error", r, "message", e.message, "us",
		      (json_int_t)(now_us() - begin)));
	return 0;
}

static uint32_t number(const json_t *in, const char *key, uint32_t otherwise)
{
	const json_t *v = json_object_get(in, key);

	return v ? (uint32_t)json_integer_value(v) : otherwise;
}

static const struct nfteval_dev *device(const json_t *in, const char *key, struct nfteval_dev *d)
{
	json_t *v = json_object_get(in, key);

	if (!json_is_object(v))
		return NULL;
	d->index = number(v, "index", 0);
	d->name = json_string_value(json_object_get(v, "name"));
	d->type = (uint16_t)number(v, "type", 1);
	d->group = number(v, "group", 0);
	d->kind = json_string_value(json_object_get(v, "kind"));
	d->bridge = json_string_value(json_object_get(v, "bridge"));
	return d;
}

static size_t from_hex(const char *hex, uint8_t *to, size_t cap)
{
	size_t n = 0;
	unsigned int v;

	for (; hex && n < cap && sscanf(hex + 2 * n, "%2x", &v) == 1; n++)
		to[n] = (uint8_t)v;
	return n;
}

static void address(const json_t *in, const char *key, struct in6_addr *to)
{
	memset(to, 0, sizeof(*to));
	from_hex(json_string_value(json_object_get(in, key)), to->s6_addr, sizeof(to->s6_addr));
}

static void tuple(const json_t *in, struct nfteval_tuple *t)
{
	address(in, "src", &t->src);
	address(in, "dst", &t->dst);
	t->sport = htons((uint16_t)number(in, "sport", 0));
	t->dport = htons((uint16_t)number(in, "dport", 0));
}

static void connection(const json_t *in, struct nfteval_ct *ct)
{
	static const char *const states[] = {"none", "untracked", "new", "established", "related"};
	const json_t *v = json_object_get(in, "ct");
	const char *state = json_string_value(json_object_get(v, "state"));

	for (size_t i = 0; state && i < ARRAY_SIZE(states); i++)
		if (strcmp(states[i], state) == 0)
			ct->state = (enum nfteval_ct_state)i;
	ct->reply = json_is_true(json_object_get(v, "reply"));
	ct->family = (uint8_t)number(v, "family", NFPROTO_IPV4);
	ct->proto = (uint8_t)number(v, "proto", 0);
	ct->status = number(v, "status", 0);
	ct->mark = number(v, "mark", 0);
	tuple(json_object_get(v, "orig"), &ct->orig);
	tuple(json_object_get(v, "answer"), &ct->answer);
}

static json_t *steps(const struct nfteval_result *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_steps; i++) {
		const struct nfteval_step *s = &r->steps[i];

		json_array_append_new(
			list, json_pack("[s, s, I, i]", s->chain->table->name, s->chain->name,
					(json_int_t)(s->rule ? s->rule->handle : 0), s->verdict));
	}
	return list;
}

static json_t *hex_of(const void *bytes, size_t len)
{
	const uint8_t *b = bytes;
	char text[33];

	for (size_t i = 0; i < len && i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", b[i]);
	return json_stringn(text, 2 * size_min(len, 16));
}

static json_t *translation(const struct nfteval_nat *n, size_t len)
{
	if (!n->set)
		return json_null();
	return json_pack("{s:b, s:b, s:b, s:b, s:o, s:o, s:i, s:i, s:i}", "masquerade",
			 n->masquerade, "redirect", n->redirect, "has_addr", n->has_addr,
			 "has_port", n->has_port, "min", hex_of(&n->min_addr, len), "max",
			 hex_of(&n->max_addr, len), "min_port", n->min_port, "max_port",
			 n->max_port, "flags", (int)n->flags);
}

static void answer(const struct nfteval_result *r, const struct nfteval_packet *pkt)
{
	size_t len = pkt->protocol == 0x800 ? 4 : 16;

	say(json_pack("{s:s, s:s, s:I, s:I, s:I, s:i, s:o, s:b, s:b, s:o, s:o, s:i, s:s?}",
		      "outcome", nfteval_outcome_name(r->outcome), "unknown", r->unknown,
		      "unknown_rule", (json_int_t)(r->unknown_rule ? r->unknown_rule->handle : 0),
		      "mark", (json_int_t)pkt->mark, "ct_mark", (json_int_t)pkt->ct.mark, "pkttype",
		      pkt->pkttype, "steps", steps(r), "rejected", r->rejected, "notrack",
		      r->notrack, "snat", translation(&r->snat, len), "dnat",
		      translation(&r->dnat, len), "more", (int)r->more_steps, "one_of", r->one_of));
}

static int evaluate(const struct nftprog *p, const struct nfteval_asked *asked, const json_t *in)
{
	static uint8_t bytes[65536];
	struct nfteval_dev dev_in, dev_out, phys_in, phys_out;
	struct nfteval_at at = {.pf = (uint8_t)number(in, "pf", NFPROTO_IPV4),
				.hook = number(in, "hook", 0),
				.device = json_string_value(json_object_get(in, "device")),
				.from = NFTEVAL_FIRST,
				.to = NFTEVAL_LAST,
				.now_s = time(NULL)};
	struct nfteval_packet pkt = {.bytes = bytes,
				     .link = (int)number(in, "link", 0),
				     .network = (int)number(in, "network", 14),
				     .protocol = (uint16_t)number(in, "protocol", 0),
				     .pkttype = (uint8_t)number(in, "pkttype", 0),
				     .mark = number(in, "mark", 0)};
	struct nfteval_result r;
	int err;

	if (json_object_get(in, "from"))
		at.from = json_integer_value(json_object_get(in, "from"));
	if (json_object_get(in, "to"))
		at.to = json_integer_value(json_object_get(in, "to"));
	pkt.len = from_hex(json_string_value(json_object_get(in, "bytes")), bytes, sizeof(bytes));
	pkt.in = device(in, "in", &dev_in);
	pkt.out = device(in, "out", &dev_out);
	pkt.phys_in = device(in, "phys_in", &phys_in);
	pkt.phys_out = device(in, "phys_out", &phys_out);
	pkt.local = json_is_true(json_object_get(in, "local"));
	connection(in, &pkt.ct);
	err = nfteval_run(p, &at, asked, &pkt, &r);
	if (err) {
		say(json_pack("{s:i}", "error", err));
		return 0;
	}
	answer(&r, &pkt);
	return 0;
}

int main(void)
{
	_cleanup_(nftprog_freep) struct nftprog *p = NULL;
	_cleanup_(nftfib_closep) struct nftfib *fib = NULL;
	_cleanup_(freep) char *line = NULL;
	struct nfteval_asked asked;
	struct err e = {0};
	size_t cap = 0;

	if (nftfib_open(&fib, &e)) {
		fprintf(stderr, "%s\n", e.message);
		return 1;
	}
	asked = nftfib_asked(fib);
	while (getline(&line, &cap, stdin) > 0) {
		json_t *in = json_loads(line, 0, NULL);

		if (!in)
			return 2;
		if (json_object_get(in, "load"))
			load(&p);
		else if (p)
			evaluate(p, &asked, in);
		json_decref(in);
	}
	return 0;
}
