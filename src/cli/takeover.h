/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * takeover.h - what the command does around a NIC that a bridged network takes: the time for its
 * confirmation, and waiting until the daemon has heard from the gateway.
 */
#ifndef VMLANE_CLI_TAKEOVER_H
#define VMLANE_CLI_TAKEOVER_H

#include "cli/request.h"

/* takeover_time() - "30", "30s" or "2m" as seconds; 0 for NULL. EXIT_OK, or a usage error. */
int takeover_time(const char *verb, const char *text, unsigned int *ret_s);
/* takeover_query() - @path with "?confirm=...&force=1" into @ret of @size. */
int takeover_query(const char *verb, const char *confirm, bool force, const char *path, char *ret,
		   size_t size);
/* takeover_await() - while the gateway is asked, ask for *network anew; it is replaced. */
int takeover_await(struct cli *cli, json_t **network);
/* takeover_await_all() - the same for all networks; EXIT_REFUSED when one was given back. */
int takeover_await_all(struct cli *cli);
/* takeover_hint() - what has to be done to keep it. */
void takeover_hint(const struct cli *cli, const json_t *network);

#endif
