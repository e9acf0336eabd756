/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_value.h - single values of a configuration: text to number, range, name. Inside src/model. */
#ifndef VMLANE_MODEL_CONFIG_VALUE_H
#define VMLANE_MODEL_CONFIG_VALUE_H

#include "model/network.h"

#define CONFIG_MTU_MIN 576     /* what every IPv4 host takes, RFC 791 */
#define CONFIG_MTU_MAX 65521   /* of a tap: 65535 and the Ethernet header within 64 KiB */
#define CONFIG_AGEING_MIN_S 10 /* IEEE 802.1D, 7.9.2: 10 s to 1,000,000 s */
#define CONFIG_AGEING_MAX_S 1000000
#define CONFIG_AGEING_DEFAULT_S 300
#define CONFIG_LEASE_MIN_S 60
#define CONFIG_LEASE_MAX_S (365 * 86400)

/* All return 0, or -EINVAL when the form is wrong, or -ERANGE when only the value is. */

/* config_duration() - "90", "90s", "15m", "1h", "2d", "1w" as seconds, @min_s to @max_s. */
int config_duration(const char *text, uint32_t min_s, uint32_t max_s, uint32_t *ret_s) __must_check;
/* config_duration_format() - the shortest way to write @s seconds, into @buf of 16. */
const char *config_duration_format(uint32_t s, char buf[static 16]);
/* config_port_range() - "MIN-MAX", 1 to 65535, MIN <= MAX. */
int config_port_range(const char *text, uint16_t *ret_min, uint16_t *ret_max) __must_check;
/* config_ip4_range() - "FIRST-LAST", FIRST <= LAST. */
int config_ip4_range(const char *text, struct in_addr *ret_first,
		     struct in_addr *ret_last) __must_check;
/* config_access() - "user:NAME" or "group:NAME". */
int config_access(const char *text, struct access_entry *ret) __must_check;

/* config_domain_valid() - a DNS name (RFC 1123 2.1) without the dot at its end. */
bool config_domain_valid(const char *name);

/*
 * config_ifname_valid() - stricter than ifname_valid(): letters, digits and "_.-@+" only, so that
 * the name means nothing else in a firewall rule (eth*), to the kernel (eth%d) or in /proc/sys.
 */
bool config_ifname_valid(const char *name);

/*
 * ip4_unusable() - why no network of guests can have addresses of @p ("loopback addresses"), or
 * NULL.
 */
const char *ip4_unusable(const struct ip4_prefix *p);
/* ip6_unusable() - the same of IPv6 addresses. */
const char *ip6_unusable(const struct ip6_prefix *p);

#endif
