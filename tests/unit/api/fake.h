/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake.h - a daemon that only writes down what it was asked, for the API's tests. */
#ifndef VMLANE_TEST_API_FAKE_H
#define VMLANE_TEST_API_FAKE_H

#include "api/service.h"

/**
 * struct fake - the service's context
 * @call:	the last call with its arguments: "network_stop default force uid=0"
 * @calls:	how many there were
 * @fail:	0, or the errno to fail with; @fail_words: with a reason
 * @n_fds:	how many descriptors guest_open() hands out; each reads its own number
 */
struct fake {
	char call[256];
	unsigned int calls;
	int fail;
	bool fail_words;
	size_t n_fds;
};

struct service fake_service(struct fake *f);

#endif
