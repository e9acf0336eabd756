/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filter_list.h - vmlane filter list, see filter_list.c. */
#ifndef VMLANE_CLI_FILTER_LIST_H
#define VMLANE_CLI_FILTER_LIST_H

#include "cli/verb.h"

int filter_list(struct cli *cli, const struct verb_args *a);

#endif
