/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * advertise.c - what guests are told of IPv6: each network that has it has its router advertiser.
 * Next on the walk: lease/ra_server.c.
 */
#include <errno.h>
#include <string.h>

#include "daemon/work.h"

static struct mac bridge_mac(const struct manager *m, const struct network_rt *n)
{
	return mac_derive(m->host_id, n->name, "", 0);
}

static void config_of(const struct manager *m, const struct network_rt *n, struct ra_config *ret)
{
	const struct network_config *c = n->config;
	const struct mac mac = bridge_mac(m, n);
	const struct in6_addr *dns;

	*ret = (struct ra_config){
		.source = ip6_linklocal(&mac),
		.prefix = c->ipv6.subnet,
		.mtu = network_mtu(n),
		.router = n->router6,
	};
	ret->n_dns = network_resolvers6(m, n, &dns);
	memcpy(ret->dns, dns, ret->n_dns * sizeof(ret->dns[0]));
	strcpy(ret->domain, c->domain);
}

void advertise_off(struct network_rt *n, bool last_word)
{
	if (n->ra && last_word)
		ra_server_last_word(n->ra);
	ra_server_free(n->ra);
	n->ra = NULL;
}

void advertise_refresh(struct manager *m, struct network_rt *n)
{
	struct ra_config c;

	if (!n->ra || !n->config->ipv6.on)
		return;
	config_of(m, n, &c);
	ra_server_configure(n->ra, &c);
}

int advertise_serve(struct manager *m, struct network_rt *n, struct err *e)
{
	const struct mac mac = bridge_mac(m, n);
	struct ra_config c;

	if (n->ra) {
		advertise_refresh(m, n);
		return 0;
	}
	config_of(m, n, &c);
	return ra_server_new(m->loop, n->socket, n->name, &mac, &c, &n->ra, e);
}

/* ---- what follows from the last look at the kernel ---- */

static bool has_peer6(const struct work *w, const struct network_config *c)
{
	for (size_t i = 0; i < w->desired.n_networks; i++) {
		const struct desired_network *d = &w->desired.networks[i];

		if (d->ipv6 && network_has_peer(c, d->config->name) &&
		    network_has_peer(d->config, c->name))
			return true;
	}
	return false;
}

/*
 * Guests whose router leads nowhere would try IPv6 first and wait (RFC 7084, G-3 and G-4): so we are
 * one only where there is a way on.
 */
static bool leads_on(const struct work *w, const struct network_config *c)
{
	if (has_peer6(w, c))
		return true;
	if (!network_has_uplink(c))
		return false;
	return c->uplink[0] ? actual_link_by_name(&w->actual, want_way_out(w, c->uplink)) != NULL
			    : w->n_uplinks6 > 0;
}

static const struct desired_network *find(const struct work *w, const struct network_rt *n)
{
	for (size_t i = 0; i < w->desired.n_networks; i++)
		if (w->desired.networks[i].config == n->config)
			return &w->desired.networks[i];
	return NULL;
}

void advertise_farewell(struct work *w)
{
	struct network_rt *n, *next;

	HASH_ITER (hh, w->m->networks, n, next) {
		const struct desired_network *d = n->ra || n->config->ipv6.on ? find(w, n) : NULL;

		n->ipv6 = d && d->ipv6;
		if (!n->ipv6)
			advertise_off(n, true);
	}
}

void advertise_follow(struct work *w)
{
	for (size_t i = 0; i < w->desired.n_networks; i++) {
		const struct desired_network *d = &w->desired.networks[i];
		struct network_rt *n = d->ipv6 ? manager_network(w->m, d->config->name) : NULL;
		bool router = n && leads_on(w, d->config);

		if (!n || n->router6 == router)
			continue;
		n->router6 = router;
		advertise_refresh(w->m, n);
	}
}
