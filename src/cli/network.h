/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network.h - what the files of the noun `network` share: cmd_network.c has its table of verbs,
 * cmd_change.c those that work on configurations.
 */
#ifndef VMLANE_CLI_NETWORK_H
#define VMLANE_CLI_NETWORK_H

#include "base/buf.h"
#include "cli/verb.h"

/*
 * network_finish() - what all changing verbs do with the network that came back: wait for a
 * take-over, print it. Takes the reference over; returns the exit code.
 */
int network_finish(struct cli *cli, json_t *network);

/* config_file_read() - a configuration file, or the standard input for "-" (cmd_apply.c). */
int config_file_read(const char *path, struct buf *out, struct err_list *errs) __must_check;

/* ---- cmd_change.c: the verbs' run functions, and the options that they read ---- */
enum { SET_CONFIRM, SET_FORCE };
enum { IMPORT_REPLACE, IMPORT_CONFIRM, IMPORT_FORCE };

int change_set(struct cli *cli, const struct verb_args *a);
int change_export(struct cli *cli, const struct verb_args *a);
int change_import(struct cli *cli, const struct verb_args *a);

#endif
