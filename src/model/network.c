/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network.c - names, interface names and MACs of networks and guests; see network.h.
 *
 * It does not read YAML. Next on the walk: node.c and config_parse.c make networks out of text.
 */
#include "model/network.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"

static const char *const mode_names[] = {
	[NETWORK_NAT] = "nat",
	[NETWORK_ROUTED] = "routed",
	[NETWORK_ISOLATED] = "isolated",
	[NETWORK_BRIDGED] = "bridged",
};
static_assert(ARRAY_SIZE(mode_names) == NETWORK_MODE_COUNT, "a name for every mode");

static const char *const inbound_names[] = {
	[INBOUND_ESTABLISHED] = "established",
	[INBOUND_ACCEPT] = "accept",
	[INBOUND_NONE] = "none",
};
static_assert(ARRAY_SIZE(inbound_names) == INBOUND_COUNT, "a name for every policy");

const char *network_mode_name(enum network_mode mode)
{
	assert(mode < NETWORK_MODE_COUNT);
	return mode_names[mode];
}

const char *network_inbound_name(enum network_inbound inbound)
{
	assert(inbound < INBOUND_COUNT);
	return inbound_names[inbound];
}

bool network_has_ipv4(const struct network_config *n)
{
	return n->subnet.len != 0;
}

bool network_has_uplink(const struct network_config *n)
{
	return n->mode == NETWORK_NAT || (n->mode == NETWORK_ROUTED && n->inbound != INBOUND_NONE);
}

bool network_has_source(const struct network_config *n)
{
	return ip4_host(n->source_first) != 0;
}

bool network_isolates(const struct network_config *n)
{
	for (size_t i = 0; i < n->n_guests; i++)
		if (n->guests[i].isolate)
			return true;
	return false;
}

bool network_has_vlans(const struct network_config *n)
{
	for (size_t i = 0; i < n->n_guests; i++)
		if (n->guests[i].vlan)
			return true;
	return false;
}

size_t network_forwards(const struct network_config *n)
{
	size_t count = 0;

	for (size_t i = 0; i < n->n_guests; i++)
		count += n->guests[i].n_forwards;
	return count;
}

bool network_has_forward(const struct network_config *n, const struct forward *f)
{
	for (size_t i = 0; i < n->n_guests; i++)
		for (size_t k = 0; k < n->guests[i].n_forwards; k++)
			if (forward_same(&n->guests[i].forwards[k], f))
				return true;
	return false;
}

bool network_has_peer(const struct network_config *n, const char *name)
{
	for (size_t i = 0; i < n->n_peers; i++)
		if (strcmp(n->peers[i], name) == 0)
			return true;
	return false;
}

void network_config_free(struct network_config *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n_guests; i++) {
		free(n->guests[i].forwards);
		free(n->guests[i].addresses);
	}
	free(n->guests);
	free(n->macs);
	policy_done(&n->policy);
	free(n);
}

static int guest_mac_cmp(const void *a, const void *b)
{
	return memcmp(&((const struct guest_mac *)a)->mac, &((const struct guest_mac *)b)->mac,
		      sizeof(struct mac));
}

int network_config_index(struct network_config *n)
{
	size_t max = 0;

	for (size_t i = 0; i < n->n_guests; i++)
		max += 1 + n->guests[i].n_macs;
	free(n->macs);
	n->n_macs = 0;
	n->macs = calloc(max + 1, sizeof(*n->macs));
	if (!n->macs)
		return -ENOMEM;
	for (size_t i = 0; i < n->n_guests; i++) {
		const struct guest_config *g = &n->guests[i];

		if (g->has_mac)
			n->macs[n->n_macs++] = (struct guest_mac){g->mac, i};
		for (size_t k = 0; k < g->n_macs; k++)
			n->macs[n->n_macs++] = (struct guest_mac){g->macs[k], i};
	}
	qsort(n->macs, n->n_macs, sizeof(*n->macs), guest_mac_cmp);
	return policy_index(&n->policy);
}

const struct guest_config *network_guest_by_mac(const struct network_config *n,
						const struct mac *mac)
{
	const struct guest_mac wanted = {.mac = *mac}, *found = NULL;

	if (n->n_macs)
		found = bsearch(&wanted, n->macs, n->n_macs, sizeof(*n->macs), guest_mac_cmp);
	return found ? &n->guests[found->guest] : NULL;
}

static int guest_name_cmp(const void *name, const void *guest)
{
	return strcmp(name, ((const struct guest_config *)guest)->name);
}

const struct guest_config *network_guest_find(const struct network_config *n, const char *name)
{
	if (n->n_guests == 0)
		return NULL;
	return bsearch(name, n->guests, n->n_guests, sizeof(*n->guests), guest_name_cmp);
}

static bool lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool name_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_LEN || !lower_or_digit(name[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!lower_or_digit(name[i]) && !strchr("_.-", name[i]))
			return false;
	return true;
}

bool ifname_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		/* 0xa0: the kernel's isspace() is Latin-1's. */
		if (c == '/' || c == ':' || c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0)
			return false;
	}
	return true;
}

#define DERIVED_PREFIX "vl-"
#define DERIVED_CUT 7 /* letters of a long name that stay: "vl-" 7 "-" 4 hex digits make 15 */

void ifname_derive(const char *name, char ret[static IFNAMSIZ])
{
	size_t room = IFNAMSIZ - sizeof(DERIVED_PREFIX);

	if (strlen(name) <= room)
		snprintf(ret, IFNAMSIZ, DERIVED_PREFIX "%.*s", (int)room, name);
	else
		snprintf(ret, IFNAMSIZ, DERIVED_PREFIX "%.*s-%04x", DERIVED_CUT, name,
			 (unsigned int)(hash_mix(hash_str(HASH_INIT, name)) & 0xffff));
}

struct mac mac_derive(const uint8_t *host_id, const char *network, const char *guest,
		      unsigned int attempt)
{
	/* Bytes, not the integer: the MAC is the same whatever the host's byte order. */
	uint8_t count[] = {(uint8_t)attempt, (uint8_t)(attempt >> 8), (uint8_t)(attempt >> 16),
			   (uint8_t)(attempt >> 24)};
	uint64_t h = HASH_INIT;

	if (host_id)
		h = hash_bytes(h, host_id, 16);
	h = hash_str(hash_str(h, network), guest);
	h = hash_mix(hash_bytes(h, count, sizeof(count)));
	return (struct mac){{0x52, 0x54, 0x00, (uint8_t)(h >> 16), (uint8_t)(h >> 8), (uint8_t)h}};
}

#define WHERE_FILE_MAX 220 /* leaves room for ":LINE:COL" in err.where */

const char *location_format(const char *file, struct location at, char *buf, size_t size)
{
	size_t len = strlen(file);
	const char *dots = len > WHERE_FILE_MAX ? "..." : "";

	/* Of a long path the end stays: it tells files apart, and the position must not be cut. */
	if (len > WHERE_FILE_MAX)
		file += len - WHERE_FILE_MAX;
	if (at.line == 0)
		snprintf(buf, size, "%s%s", dots, file);
	else
		snprintf(buf, size, "%s%s:%u:%u", dots, file, at.line, at.col);
	return buf;
}
