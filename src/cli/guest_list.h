/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_list.h - the verbs of `vmlane guest` that look at every guest of the host: list and find. */
#ifndef VMLANE_CLI_GUEST_LIST_H
#define VMLANE_CLI_GUEST_LIST_H

#include "cli/verb.h"

enum { GUEST_LIST_NETWORK, GUEST_LIST_COUNT };

extern const struct verb_opt guest_list_opts[GUEST_LIST_COUNT];

int guest_list(struct cli *cli, const struct verb_args *a);
int guest_find(struct cli *cli, const struct verb_args *a);

#endif
