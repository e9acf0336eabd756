/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_rtnl_parse.c - rtnetlink messages one behind the other, as a datagram holds them. They come
 * from the kernel, but their text (names, aliases) does not.
 */
// libs: kernel
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/rtnl_internal.h"

static void parse(const struct nlmsghdr *nlh)
{
	struct rtnl_array routes = {.size = sizeof(struct route_state)};
	struct rtnl_array routes6 = {.size = sizeof(struct route6_state)};
	struct neigh6_entry neigh6;
	struct addr6_state addr6;
	struct neigh_entry neigh;
	struct addr_state addr;
	struct link_state link;
	struct fdb_entry fdb;

	rtnl_parse_link(nlh, &link);
	rtnl_parse_addr(nlh, &addr);
	rtnl_parse_neigh(nlh, &neigh);
	rtnl_parse_fdb(nlh, &fdb);
	if (rtnl_parse_route(nlh, &routes) < 0)
		abort();
	free(routes.v);
	rtnl_parse_addr6(nlh, &addr6);
	rtnl_parse_neigh6(nlh, &neigh6);
	if (rtnl_parse_route6(nlh, &routes6) < 0)
		abort();
	free(routes6.v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nlmsghdr *copy = malloc(size ? size : 1); /* aligned, and no byte more */
	struct rtnl_messages messages = {.p = (const char *)copy, .left = size};
	const struct nlmsghdr *nlh;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	while ((nlh = rtnl_messages_next(&messages)) != NULL)
		parse(nlh);
	free(copy);
	return 0;
}
