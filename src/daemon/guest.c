/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.c - the plugged-in guests in memory and state; see manager.h. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "daemon/events.h"
#include "daemon/guard.h"
#include "daemon/policy.h"
#include "daemon/manager.h"
#include "daemon/rates.h"

struct guest_rt *manager_guest(struct manager *m, const char *name)
{
	struct guest_rt *g;

	HASH_FIND_STR(m->guests, name, g);
	return g;
}

struct guest_rt *manager_guest_by_mac(struct manager *m, const struct mac *mac)
{
	struct guest_rt *g;

	HASH_FIND(hh_mac, m->guests_by_mac, mac->b, sizeof(mac->b), g);
	return g;
}

struct guest_rt *manager_guest_by_tap(struct manager *m, const char *tap)
{
	struct guest_rt *g;

	HASH_FIND(hh_tap, m->guests_by_tap, tap, strlen(tap), g);
	return g;
}

int guest_add(struct manager *m, const struct state_guest *g, struct guest_rt **ret)
{
	struct guest_rt *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->g = *g;
	HASH_ADD_STR(m->guests, g.name, n);
	HASH_ADD(hh_mac, m->guests_by_mac, g.mac.b, sizeof(n->g.mac.b), n);
	HASH_ADD_KEYPTR(hh_tap, m->guests_by_tap, n->g.tap, strlen(n->g.tap), n);
	if (ret)
		*ret = n;
	return 0;
}

int guest_register(struct manager *m, const struct state_guest *g, struct guest_rt **ret,
		   struct err *e)
{
	int r = state_guest_put(m->state, g, e);

	if (r < 0)
		return r;
	r = guest_add(m, g, ret);
	if (r < 0 && state_guest_remove(m->state, g->name, NULL) < 0)
		log_error("guest %s is left over in the state", g->name);
	return r;
}

bool guest_has_tap(const struct manager *m, const struct guest_rt *g)
{
	size_t len = strlen(ALIAS_GUEST);
	struct link_state link;

	return rtnl_link_get(m->rtnl, g->g.tap, 0, &link, NULL) == 0 &&
	       strncmp(link.alias, ALIAS_GUEST, len) == 0 &&
	       strcmp(link.alias + len, g->g.name) == 0;
}

void guest_drop(struct manager *m, struct guest_rt *g)
{
	/* NOLINTBEGIN(clang-analyzer-*): the analyzer does not know that the three tables agree */
	HASH_DEL(m->guests, g);
	HASH_DELETE(hh_mac, m->guests_by_mac, g);
	HASH_DELETE(hh_tap, m->guests_by_tap, g);
	/* NOLINTEND(clang-analyzer-*) */
	free(g);
}

int guest_forget(struct manager *m, struct guest_rt *g, struct err *e)
{
	int r = state_guest_remove(m->state, g->g.name, e);

	if (r < 0)
		return r;
	guest_drop(m, g);
	return 0;
}

void guest_ended(struct manager *m, struct guest_rt *g)
{
	struct network_rt *n = manager_network(m, g->g.network);
	const struct state_guest was = g->g;
	struct err e = {0};

	log_info("guest %s ended", g->g.name);
	events_emit(m, "guest-ended", g->g.network, g->g.name, NULL, "%s ended", g->g.name);
	if (guest_forget(m, g, &e) < 0) {
		log_error("guest %s could not be removed from the state: %s", g->g.name, e.message);
		guest_drop(m, g);
	}
	rates_unplug(m, n, was.name, was.tap);
	guard_unplug(m, was.tap);
	if (n)
		network_refresh_dhcp(m, n);
	policy_changed(m, n, was.name);
}

void guests_free(struct manager *m)
{
	struct guest_rt *g, *next;

	HASH_ITER (hh, m->guests, g, next)
		guest_drop(m, g);
}

static bool claims_mac(const struct guest_config *c, const struct mac *mac)
{
	for (size_t i = 0; i < c->n_macs; i++)
		if (mac_equal(&c->macs[i], mac))
			return true;
	return c->has_mac && mac_equal(&c->mac, mac);
}

/* Whose @mac is, if not @name's: a plugged-in guest's, one's in a configuration, a bridge's. */
static const char *mac_owner(struct manager *m, const struct mac *mac, const char *name)
{
	const struct guest_rt *g = manager_guest_by_mac(m, mac);
	struct network_rt *n, *next;

	if (g && strcmp(g->g.name, name) != 0)
		return g->g.name;
	HASH_ITER (hh, m->networks, n, next) {
		struct mac bridge = mac_derive(m->host_id, n->name, "", 0);

		if (mac_equal(&bridge, mac))
			return n->config->bridge;
		for (size_t i = 0; i < n->config->n_guests; i++) {
			const struct guest_config *c = &n->config->guests[i];

			if (claims_mac(c, mac) && strcmp(c->name, name) != 0)
				return c->name;
		}
	}
	return NULL;
}

static int mac_wanted(struct manager *m, const struct guest_config *known, const char *name,
		      const char *wanted, struct mac *ret, struct err *e)
{
	const char *other;
	struct mac mac;

	if (mac_parse(wanted, &mac) < 0)
		return err_set(e, -EINVAL, "bad-mac", "mac",
			       "'%.40s' is not a MAC address; expected like 52:54:00:12:34:56",
			       wanted);
	if (mac_is_multicast(&mac) || mac_is_zero(&mac))
		return err_set(e, -EINVAL, "bad-mac", "mac",
			       "%s is not a single station's address; its first byte must be even "
			       "and not all may be zero",
			       wanted);
	if (known && known->has_mac && !mac_equal(&known->mac, &mac))
		return err_set(e, -EINVAL, "bad-mac", "mac",
			       "the configuration of %s gives it another MAC; leave out --mac, or "
			       "change the file",
			       name);
	other = mac_owner(m, &mac, name);
	if (other)
		return err_set(e, -EEXIST, "duplicate-mac", "mac", "%s is %s's MAC already", wanted,
			       other);
	*ret = mac;
	return 0;
}

int guest_mac(struct manager *m, const struct network_rt *n, const char *name, const char *wanted,
	      struct mac *ret, struct err *e)
{
	const struct guest_config *known = network_guest_find(n->config, name);

	if (wanted && wanted[0])
		return mac_wanted(m, known, name, wanted, ret, e);
	if (known && known->has_mac) {
		*ret = known->mac;
		return 0;
	}
	for (unsigned int attempt = 0; attempt < 1000; attempt++) {
		struct mac mac = mac_derive(m->host_id, n->name, name, attempt);

		if (!mac_owner(m, &mac, name)) {
			*ret = mac;
			return 0;
		}
	}
	return err_set(e, -EEXIST, "duplicate-mac", "mac",
		       "no free MAC found for %s; give one "
		       "with --mac",
		       name);
}
