/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_guard.c - guests' guards as JSON: which are on, what they have dropped; see service.h. */
#include "daemon/service.h"

#include <netinet/in.h>

#include "base/clock.h"
#include "daemon/guard.h"

#define ETHERTYPE_IP6 0x86dd
#define NS_PER_S 1000000000

/* The sender's address as text, or NULL where the frame had none. */
static const char *source(const struct port_last *l, char buf[static IP6_STRLEN])
{
	struct in6_addr six;
	struct in_addr four;

	memcpy(&four, l->src, sizeof(four));
	memcpy(&six, l->src, sizeof(six));
	if (l->ethertype == ETHERTYPE_IP6)
		return ip6_format(&six, buf);
	return l->ethertype == 0x0800 || l->ethertype == 0x0806 ? ip4_format(four, buf) : NULL;
}

json_t *view_guard_last(const struct port_last *l)
{
	int64_t ago_s = (int64_t)(clock_boot_us() / 1000000) - (int64_t)(l->time_ns / NS_PER_S);
	char mac[MAC_STRLEN], address[IP6_STRLEN], type[8];
	const char *src = source(l, address);
	struct mac smac;

	if (!l->time_ns)
		return json_null();
	memcpy(smac.b, l->smac, sizeof(smac.b));
	snprintf(type, sizeof(type), "0x%04x", l->ethertype);
	return json_pack("{s:I, s:s, s:s?, s:s}", "time",
			 (json_int_t)(clock_wall_s() - (ago_s > 0 ? ago_s : 0)), "mac",
			 mac_format(&smac, mac), "address", src, "ethertype", type);
}

static json_t *limit_json(const struct network_config *c, const struct guest_config *known,
			  enum guard g)
{
	uint32_t max = c && g >= GUARD_LIMITED ? guard_limit_of(c, known, g) : 0;

	return max ? json_integer(max) : json_null();
}

json_t *view_guard(struct manager *m, const struct network_config *c,
		   const struct guest_config *known, const char *tap)
{
	uint16_t on = c ? guards_of(c, known) : 0;
	struct port_drops drops = {0};
	json_t *j = json_object();

	if (!tap || !guard_drops(m, tap, &drops))
		drops = (struct port_drops){0};
	for (enum guard g = 0; g < GUARD_COUNT; g++)
		json_object_set_new(j, guard_name(g),
				    json_pack("{s:b, s:I, s:o, s:o}", "on", on >> g & 1, "dropped",
					      (json_int_t)drops.dropped[g], "last",
					      view_guard_last(&drops.last[g]), "limit",
					      limit_json(c, known, g)));
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
