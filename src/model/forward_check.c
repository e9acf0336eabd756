/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forward_check.c - see forward_check.h. Used by config_forward.c within a file, by
 * config_validate.c across files.
 */
#include "model/forward_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* struct place - a forward and whose it is; @order: as they stand in the files. */
struct place {
	const struct forward *f;
	const struct config_file *file;
	const struct guest_config *guest;
	size_t order;
	bool told;
};

/* struct places - those of all files. */
struct places {
	struct place *v;
	size_t n;
};

static int collect(const struct config_set *set, struct places *ret)
{
	struct places p = {0};
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		for (size_t g = 0; set->files[i].network && g < set->files[i].network->n_guests;
		     g++)
			n += set->files[i].network->guests[g].n_forwards;
	p.v = calloc(n + 1, sizeof(*p.v));
	if (!p.v)
		return -ENOMEM;
	for (size_t i = 0; i < set->n; i++) {
		const struct network_config *c = set->files[i].network;

		for (size_t g = 0; c && g < c->n_guests; g++)
			for (size_t k = 0; k < c->guests[g].n_forwards; k++) {
				p.v[p.n] = (struct place){&c->guests[g].forwards[k], &set->files[i],
							  &c->guests[g], p.n, false};
				p.n++;
			}
	}
	*ret = p;
	return 0;
}

static int mistake(struct place *p, const char *code, const char *what, struct err_list *errs)
{
	char where[LOCATION_STRLEN], text[FORWARD_STRLEN];
	const struct location at = {p->f->line, p->f->col};

	p->told = true;
	err_add(errs, -EINVAL, code, location_format(p->file->path, at, where, sizeof(where)),
		"`forward`: \"%s\" %s", forward_format(p->f, text), what);
	return 1;
}

/* ---- the same ports twice ---- */

static int port_cmp(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->f->proto != y->f->proto)
		return x->f->proto < y->f->proto ? -1 : 1;
	if (x->f->first != y->f->first)
		return x->f->first < y->f->first ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* @p wants what @first has. */
static int report_overlap(struct place *p, const struct place *first, struct err_list *errs)
{
	const struct location at = {first->f->line, first->f->col};
	char what[512], place[LOCATION_STRLEN], text[FORWARD_STRLEN];
	uint16_t port = p->f->first > first->f->first ? p->f->first : first->f->first;
	bool one_any = forward_any(p->f) != forward_any(first->f);

	snprintf(what, sizeof(what),
		 "wants port %u, which is that of \"%s\" of guest \"%s\" of network \"%s\" (%s)%s; "
		 "choose another port",
		 port, forward_format(first->f, text), first->guest->name,
		 first->file->network->name,
		 location_format(first->file->path, at, place, sizeof(place)),
		 one_any ? ", as without an address all of the host's are meant" : "");
	return mistake(p, "duplicate", what, errs);
}

static bool same_addresses(const struct forward *a, const struct forward *b)
{
	return forward_any(a) || forward_any(b) || ip4_equal(a->addr, b->addr);
}

static int check_overlaps(struct places *p, struct err_list *errs)
{
	int mistakes = 0;

	if (p->n)
		qsort(p->v, p->n, sizeof(*p->v), port_cmp);
	for (size_t i = 0; i < p->n; i++)
		for (size_t k = i + 1; k < p->n; k++) {
			struct place *a = &p->v[i], *b = &p->v[k];

			if (b->f->proto != a->f->proto || b->f->first > a->f->last)
				break;
			if (!same_addresses(a->f, b->f))
				continue;
			/* Whoever stands later in the files is at fault. */
			if (a->order < b->order && !b->told)
				mistakes += report_overlap(b, a, errs);
			else if (a->order > b->order && !a->told)
				mistakes += report_overlap(a, b, errs);
		}
	return mistakes;
}

/* ---- ports of the networks' own services ---- */

static const struct {
	enum forward_proto proto;
	uint16_t port;
	const char *what;
} own_ports[] = {
	{FORWARD_TCP, 53, "DNS"},
	{FORWARD_UDP, 53, "DNS"},
	{FORWARD_UDP, 67, "DHCP"},
};

/* The file whose network has @addr as gateway; that of @p when its forward takes all addresses. */
static const struct config_file *gateway_of(const struct config_set *set, const struct place *p)
{
	if (forward_any(p->f))
		return network_has_ipv4(p->file->network) ? p->file : NULL;
	for (size_t i = 0; i < set->n; i++) {
		const struct network_config *c = set->files[i].network;

		if (c && network_has_ipv4(c) && ip4_equal(c->gateway, p->f->addr))
			return &set->files[i];
	}
	return NULL;
}

static int check_own_port(const struct config_set *set, struct place *p, size_t own,
			  struct err_list *errs)
{
	char what[512], place[LOCATION_STRLEN], addr[IP4_STRLEN];
	const struct config_file *of;

	if (!forward_takes(p->f, own_ports[own].proto, p->f->addr, own_ports[own].port))
		return 0;
	of = gateway_of(set, p);
	if (!of)
		return 0;
	snprintf(what, sizeof(what),
		 "takes port %u, where guests reach the host's %s at the gateway %s of network "
		 "\"%s\" (%s); name the one address that is meant, such as %s 203.0.113.2:%u -> %u",
		 own_ports[own].port, own_ports[own].what, ip4_format(of->network->gateway, addr),
		 of->network->name,
		 location_format(of->path, of->network->subnet_at, place, sizeof(place)),
		 forward_proto_name(own_ports[own].proto), own_ports[own].port,
		 own_ports[own].port);
	return mistake(p, "own-port", what, errs);
}

static int check_own_ports(const struct config_set *set, struct places *p, struct err_list *errs)
{
	int mistakes = 0;

	for (size_t i = 0; i < p->n; i++)
		for (size_t own = 0; own < ARRAY_SIZE(own_ports) && !p->v[i].told; own++)
			mistakes += check_own_port(set, &p->v[i], own, errs);
	return mistakes;
}

/* ---- how many ---- */

static int check_total(struct places *p, struct err_list *errs)
{
	size_t total = 0;
	char what[128];

	for (size_t i = 0; i < p->n; i++) {
		total += forward_ports(p->v[i].f);
		if (total <= FORWARD_PORTS_MAX)
			continue;
		snprintf(what, sizeof(what),
			 "makes it more than %d forwarded ports on this host; leave some out",
			 FORWARD_PORTS_MAX);
		return mistake(&p->v[i], "too-big", what, errs);
	}
	return 0;
}

int forward_check_files(const struct config_set *set, struct err_list *errs)
{
	struct places p = {0};
	int mistakes, r = collect(set, &p);

	if (r < 0)
		return r;
	mistakes = check_total(&p, errs);
	mistakes += check_own_ports(set, &p, errs);
	mistakes += check_overlaps(&p, errs);
	free(p.v);
	return mistakes;
}
