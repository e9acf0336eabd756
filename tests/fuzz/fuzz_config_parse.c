/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes to the configuration reader. Whatever it takes must be emitted as text that means the
 * same and is emitted the same again; whatever it refuses must have a reason with a place.
 */
// libs: model
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "model/config.h"

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

static void check_network(const struct network_config *n)
{
	struct buf first = BUF_INIT(4 * CONFIG_FILE_MAX), second = BUF_INIT(4 * CONFIG_FILE_MAX);
	struct network_config *again = NULL;

	network_config_emit(n, &first);
	CHECK(first.error == 0);
	CHECK(first.len <= CONFIG_FILE_MAX);
	CHECK(network_config_parse("again", first.data, first.len, &again, NULL) == 0);
	CHECK(network_config_equal(n, again));
	network_config_emit(again, &second);
	CHECK(strcmp(buf_str(&first), buf_str(&second)) == 0);
	network_config_free(again);
	buf_done(&first);
	buf_done(&second);
}

static void check_errors(const struct err_list *errs)
{
	CHECK(errs->n > 0);
	for (size_t i = 0; i < errs->n; i++) {
		const char *text = errs->items[i].message;

		CHECK(errs->items[i].code[0]);
		CHECK(strncmp(errs->items[i].where, "fuzz.yaml", 9) == 0);
		CHECK(text[0]);
		/* Fit for any terminal or log, whatever was in the file. */
		for (; *text; text++)
			CHECK(*text >= ' ' && *text < 0x7f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct err_list errs;
	struct network_config *n = NULL;
	int r;

	errs.n = 0;
	errs.dropped = 0;
	r = network_config_parse("fuzz.yaml", (const char *)data, size, &n, &errs);
	if (r == 0)
		check_network(n);
	else
		check_errors(&errs);
	CHECK(r == 0 || r == -EINVAL);
	CHECK((r == 0) == (n != NULL));
	network_config_free(n);
	return 0;
}
