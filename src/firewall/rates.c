/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rates.c - see rates.h. Next on the walk: nft.c commits.
 *
 * The kernel's bucket holds one second of the rate besides the burst (nft_limit_init() in
 * net/netfilter/nft_limit.c): a guest that was silent may send that much at once. What comes over
 * it is dropped, not queued, which leaves TCP 99 % of the rate.
 */
#include "firewall/rates.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE "netdev vmlane"
#define BURST (128 * 1024) /* bytes: two frames as large as segmentation offload makes them */

void fw_rates_done(struct fw_rates *r)
{
	free(r->v);
	*r = (struct fw_rates){0};
}

/* Taps of ours are called vl-NAME, with a name's letters only. */
static bool plain(const char *ifname)
{
	size_t len = strlen(ifname);

	return len > 0 && len < IFNAMSIZ && ifname[0] >= 'a' && ifname[0] <= 'z' &&
	       strspn(ifname, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == len;
}

static int append(struct fw_rates *r, const char *ifname, size_t len, uint64_t bits)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 16;
		struct fw_rate *v = reallocarray(r->v, cap, sizeof(*v));

		if (!v)
			return -ENOMEM;
		r->v = v;
		r->cap = cap;
	}
	r->v[r->n] = (struct fw_rate){.bits = bits};
	memcpy(r->v[r->n++].ifname, ifname, len);
	return 0;
}

int fw_rates_add(struct fw_rates *r, const char *ifname, uint64_t bits)
{
	return plain(ifname) ? append(r, ifname, strlen(ifname), bits) : -EINVAL;
}

static int rate_cmp(const void *a, const void *b)
{
	return strcmp(((const struct fw_rate *)a)->ifname, ((const struct fw_rate *)b)->ifname);
}

void fw_rates_sort(struct fw_rates *r)
{
	if (r->n)
		qsort(r->v, r->n, sizeof(*r->v), rate_cmp);
}

static int find_cmp(const void *name, const void *rate)
{
	return strcmp(name, ((const struct fw_rate *)rate)->ifname);
}

const struct fw_rate *fw_rates_find(const struct fw_rates *r, const char *ifname)
{
	return r->n ? bsearch(ifname, r->v, r->n, sizeof(*r->v), find_cmp) : NULL;
}

/* ---- reading ---- */

/* "limit rate over 1250 kbytes/second burst 128 kbytes counter drop": bits a second, or 0. */
static uint64_t read_rule(const char *line)
{
	static const char words[] = "limit rate over ";
	static const struct {
		const char *name;
		uint64_t bytes;
	} units[] = {{" bytes/second burst ", 1},
		     {" kbytes/second burst ", 1024},
		     {" mbytes/second burst ", 1024 * 1024}};
	unsigned long long count;
	char *end;

	if (strncmp(line, words, strlen(words)) != 0 || !strstr(line, " counter drop"))
		return 0;
	count = strtoull(line + strlen(words), &end, 10);
	for (size_t i = 0; i < ARRAY_SIZE(units) && count <= UINT32_MAX * 4ull; i++)
		if (strncmp(end, units[i].name, strlen(units[i].name)) == 0)
			return 8 * count * units[i].bytes;
	return 0;
}

/**
 * struct chain - a chain of the listing while it is read
 * @rules:	lines that are rules
 * @hooked:	it is at the ingress of the interface of its name
 */
struct chain {
	const char *name;
	size_t len;
	size_t rules;
	bool hooked;
	uint64_t bits;
};

static void read_chain_line(struct chain *c, const char *line, size_t len)
{
	char text[256], wanted[IFNAMSIZ + 48];

	snprintf(text, sizeof(text), "%.*s", (int)len, line);
	snprintf(wanted, sizeof(wanted), "hook ingress device \"%.*s\" ", (int)c->len, c->name);
	if (strncmp(text, "type ", 5) == 0) {
		c->hooked = strstr(text, wanted) != NULL && strstr(text, "policy accept") != NULL;
		return;
	}
	c->rules++;
	c->bits = read_rule(text);
}

static int end_chain(const struct chain *c, struct fw_rates *out)
{
	/* A chain with a name that we would not give it cannot be ours; it goes with the table. */
	if (c->len >= IFNAMSIZ)
		return 0;
	return append(out, c->name, c->len, c->hooked && c->rules == 1 ? c->bits : 0);
}

int fw_rates_read(const char *listing, struct fw_rates *ret)
{
	struct fw_rates out = {.present = listing[0] != '\0'};
	struct chain c = {0};
	int r = 0;

	while (*listing && r == 0) {
		const char *word = listing + strspn(listing, "\t ");
		size_t len = strcspn(word, "\n");

		if (strncmp(word, "chain ", 6) == 0) {
			c = (struct chain){.name = word + 6, .len = strcspn(word + 6, " {\n")};
		} else if (c.name && *word == '}') {
			r = end_chain(&c, &out);
			c.name = NULL;
		} else if (c.name && len) {
			read_chain_line(&c, word, len);
		}
		listing = word + len + (word[len] == '\n');
	}
	if (r == 0 && c.name)
		r = -EBADMSG;
	if (r < 0) {
		fw_rates_done(&out);
		return r;
	}
	fw_rates_sort(&out);
	*ret = out;
	return 0;
}

/* ---- writing ---- */

static void put_chain(const struct fw_rate *rate, struct buf *out)
{
	buf_printf(out,
		   "add chain " TABLE " %s { type filter hook ingress device \"%s\" priority 0; "
		   "policy accept; }\n",
		   rate->ifname, rate->ifname);
}

static void put_rule(const struct fw_rate *rate, struct buf *out)
{
	buf_printf(out,
		   "add rule " TABLE " %s limit rate over %" PRIu64
		   " bytes/second burst %d bytes counter drop\n",
		   rate->ifname, rate->bits / 8, BURST);
}

static void put_change(const struct fw_rate *from, const struct fw_rate *to, struct buf *out)
{
	if (from && (!to || !from->bits))
		buf_printf(out, "delete chain " TABLE " %s\n", from->ifname);
	else if (from)
		buf_printf(out, "flush chain " TABLE " %s\n", from->ifname);
	if (to && (!from || !from->bits))
		put_chain(to, out);
	if (to)
		put_rule(to, out);
}

int fw_rates_delta(const struct fw_rates *from, const struct fw_rates *to, struct buf *out)
{
	size_t i = 0, j = 0;
	int changes = 0;

	if (to->n == 0) {
		if (from->present)
			buf_puts(out, "delete table " TABLE "\n");
		return out->error ? out->error : from->present;
	}
	if (!from->present) {
		buf_puts(out, "add table " TABLE "\n");
		changes++;
	}
	while (i < from->n || j < to->n) {
		int order = i == from->n ? 1
			    : j == to->n ? -1
					 : strcmp(from->v[i].ifname, to->v[j].ifname);
		const struct fw_rate *old = order <= 0 ? &from->v[i++] : NULL;
		const struct fw_rate *new = order >= 0 ? &to->v[j++] : NULL;

		if (old && new && old->bits == new->bits)
			continue;
		put_change(old, new, out);
		changes++;
	}
	return out->error ? out->error : changes;
}

void fw_rates_put(const struct fw_rate *rate, struct buf *out)
{
	buf_puts(out, "add table " TABLE "\n");
	put_chain(rate, out);
	/* Newer kernels may have kept the chain of an earlier interface of this name. */
	buf_printf(out, "flush chain " TABLE " %s\n", rate->ifname);
	put_rule(rate, out);
}

void fw_rates_drop(const char *ifname, bool last, struct buf *out)
{
	if (last)
		buf_puts(out, "delete table " TABLE "\n");
	else
		buf_printf(out, "delete chain " TABLE " %s\n", ifname);
}
