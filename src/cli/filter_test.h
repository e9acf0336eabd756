/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filter_test.h - vmlane filter test: which rule a packet would meet, by inspect/explain.h. */
#ifndef VMLANE_CLI_FILTER_TEST_H
#define VMLANE_CLI_FILTER_TEST_H

#include "cli/verb.h"

enum {
	FILTER_TEST_SOURCE,
	FILTER_TEST_OUTSIDE,
	FILTER_TEST_OPTS,
};

extern const struct verb_opt filter_test_opts[FILTER_TEST_OPTS];

int filter_test(struct cli *cli, const struct verb_args *a);

#endif
