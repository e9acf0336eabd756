/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_guard.c - guests' guards as JSON: which are on, what they have dropped; see service.h. */
#include "daemon/service.h"

static void add_drops(const char *ifname, enum guard g, uint64_t packets, void *ctx)
{
	json_t *all = ctx, *of = json_object_get(all, ifname);

	if (!of) {
		of = json_object();
		json_object_set_new(all, ifname, of);
	}
	json_object_set_new(of, guard_name(g), json_integer((json_int_t)packets));
}

json_t *view_guard_drops(struct manager *m)
{
	json_t *all = json_object();
	struct err e = {0};

	/* Of a table that somebody has just taken away there is nothing to tell. */
	if (all && m->guard.n_elements && nft_guard_drops(m->nft, add_drops, all, &e) < 0)
		json_object_clear(all);
	return all;
}

json_t *view_guard(const struct network_config *c, const struct guest_config *known,
		   const char *tap, const json_t *drops)
{
	uint16_t on = c ? guards_of(c, known) : 0;
	const json_t *of = tap ? json_object_get(drops, tap) : NULL;
	json_t *j = json_object();

	for (enum guard g = 0; g < GUARD_COUNT; g++)
		json_object_set_new(
			j, guard_name(g),
			json_pack("{s:b, s:I}", "on", on >> g & 1, "dropped",
				  json_integer_value(json_object_get(of, guard_name(g)))));
	return j;
}

json_t *view_addresses(const struct guest_config *known)
{
	char text[GUEST_PREFIX_STRLEN];
	json_t *list = json_array();

	for (size_t i = 0; known && i < known->n_addresses; i++)
		json_array_append_new(list,
				      json_string(guest_prefix_format(&known->addresses[i], text)));
	return list;
}
