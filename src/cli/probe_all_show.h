/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe_all_show.h - vmlane probe --all: a table of ticks and crosses, or JSON lines. */
#ifndef VMLANE_CLI_PROBE_ALL_SHOW_H
#define VMLANE_CLI_PROBE_ALL_SHOW_H

#include "cli/verb.h"
#include "inspect/probe_all.h"

/* probe_all_show() - asks and prints; 0 and whether all that apply passed, or -errno with words. */
int probe_all_show(const struct cli *cli, struct subject *s, const struct probe_all_options *o,
		   bool *ret, struct err *e) __must_check;

#endif
