/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inventory_show.h - all guests of the host as rows: those of the daemon, with what the host's own view
 * (inspect/inventory.h) adds to them, and everybody else's.
 */
#ifndef VMLANE_CLI_INVENTORY_SHOW_H
#define VMLANE_CLI_INVENTORY_SHOW_H

#include "cli/output.h"
#include "inspect/inventory.h"

/*
 * inventory_row() - a guest that is nobody's of ours, as the object of docs/API.md; NULL without memory.
 */
json_t *inventory_row(const struct inventory_guest *g) __must_check;

/*
 * inventory_merge() - @rows are the daemon's guests, and get what @in knows of them; guests that are not
 * among them are appended. 0 or -ENOMEM.
 */
int inventory_merge(const struct inventory *in, json_t *rows) __must_check;

/* inventory_cell_process() - the cell of "process" with its "pid"; see output.h. */
void inventory_cell_process(const json_t *row, const char *key, struct buf *out);

/* inventory_print() - @rows as a table, without columns that nobody has anything for. */
int inventory_print(const struct cli *cli, const json_t *rows) __must_check;

/* inventory_print_found() - one row in one line. */
void inventory_print_found(const struct cli *cli, const json_t *row);

#endif
