/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.h - the strict YAML reader, and the checks that need more than one file.
 *
 * All functions are pure: text in, structs and errors out.
 */
#ifndef VMLANE_MODEL_CONFIG_H
#define VMLANE_MODEL_CONFIG_H

#include "base/buf.h"
#include "model/network.h"

#define CONFIG_FILE_MAX (1024 * 1024)
#define CONFIG_NETWORKS_MAX 4096

/**
 * network_config_parse() - one document to one network
 * @file:	the name that errors carry as file:line:col ("/etc/vmlane/networks/default.yaml")
 * @text:	@len bytes, not NUL-terminated; at most CONFIG_FILE_MAX. JSON is YAML too, so API
 *		request bodies take the same way.
 * @ret:	the network, owned by the caller
 * @errs:	every mistake found, not only the first
 *
 * Strict: unknown keys (with "did you mean"), duplicate keys, anchors, aliases, tags, tabs, more
 * than one document, wrong types are mistakes; two guests of the file with one MAC or address, or
 * with one tap's name, are too. The mistakes are appended to @errs in the order of their places.
 * After a syntax error nothing else of the file is judged. vmlane.yaml(5) describes the keys.
 * Returns 0, -EINVAL (see @errs), or -ENOMEM.
 */
int network_config_parse(const char *file, const char *text, size_t len,
			 struct network_config **ret, struct err_list *errs) __must_check;

/*
 * network_config_settle() - give @n, which has `subnet: auto` and no subnet yet, this one, with the
 * gateway and the range that follow from it. Until then network_has_ipv4() is false.
 */
void network_config_settle(struct network_config *n, const struct ip4_prefix *subnet);

/*
 * network_config_settle6() - the same with `ipv6: { subnet: auto }` and a prefix of 64 bits. Until
 * then n->ipv6.subnet.len is 0.
 */
void network_config_settle6(struct network_config *n, const struct ip6_prefix *subnet);

/*
 * network_config_emit() - the canonical YAML of @n; parsing it again gives an equal network, but for
 * the subnet that was chosen where it is `auto`. A network that was parsed fits CONFIG_FILE_MAX.
 */
void network_config_emit(const struct network_config *n, struct buf *out);

/* network_config_equal() - same meaning (locations do not count). */
bool network_config_equal(const struct network_config *a, const struct network_config *b);

/**
 * struct config_file - one file of the networks directory, parsed
 * @path:	for errors; owned
 * @network:	NULL when the file had mistakes; owned
 */
struct config_file {
	char *path;
	struct network_config *network;
};

/* struct config_set - all networks that are wanted; @files is owned, sorted by path. */
struct config_set {
	struct config_file *files;
	size_t n;
};

void config_set_done(struct config_set *set);

/* struct host_route - a route of the host that networks must not overlap. */
struct host_route {
	struct ip4_prefix dst;
	char ifname[IFNAMSIZ];
};

/**
 * config_set_validate() - the mistakes that only show when all files and the host are looked at
 * @set:	files whose network is NULL are passed over
 * @routes:	the host's routes, @n_routes of them; default routes, their halves (0.0.0.0/1 and
 *		128.0.0.0/1) and routes over bridges of @set are left out here
 *
 * Two networks with one name or bridge, file name that is not NAME.yaml, overlapping subnets (both
 * places named), overlap with a route (its interface named), two guests with one MAC (all networks)
 * or one IPv4 (one network) or one name, a guest whose tap would have a bridge's name, two forwards of one port
 * of the host, forwards of ports where the host serves the guests. Each is told
 * once, at the later place. Returns 0, -EINVAL, or -ENOMEM.
 */
int config_set_validate(const struct config_set *set, const struct host_route *routes,
			size_t n_routes, struct err_list *errs) __must_check;

/* struct host_route6 - an IPv6 route of the host that networks must not overlap. */
struct host_route6 {
	struct ip6_prefix dst;
	char ifname[IFNAMSIZ];
};

/*
 * config_set_validate_ipv6() - overlapping IPv6 subnets of @set, and overlaps with @routes; default
 * routes and what covers them in parts (prefixes of up to 3 bits) are left out here. Returns 0,
 * -EINVAL, or -ENOMEM.
 */
int config_set_validate_ipv6(const struct config_set *set, const struct host_route6 *routes,
			     size_t n_routes, struct err_list *errs) __must_check;

/*
 * config_set_validate_peers() - networks that are listed as peers and are not there, or do not list
 * that one too. @set has to be all networks. Returns 0 or -EINVAL.
 */
int config_set_validate_peers(const struct config_set *set, struct err_list *errs) __must_check;

#endif
