/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any file and any patch (behind the first NUL) to the editor of files. What comes out is a file
 * that means what it says it means, and the same patch once more changes nothing of that.
 */
// libs: model
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "model/config_edit.h"

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

static void check_again(const struct buf *text, const char *patch, size_t len,
			const struct network_config *n)
{
	struct network_config *parsed = NULL, *again = NULL;
	struct buf out = BUF_INIT(CONFIG_FILE_MAX);
	bool kept;

	CHECK(network_config_parse("x", buf_str(text), text->len, &parsed, NULL) == 0);
	CHECK(network_config_equal(parsed, n));
	CHECK(config_edit("x", buf_str(text), text->len, patch, len, &out, &kept, &again, NULL) ==
	      0);
	CHECK(network_config_equal(again, n));
	network_config_free(parsed);
	network_config_free(again);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *patch = memchr(data, '\0', size);
	struct buf out = BUF_INIT(CONFIG_FILE_MAX);
	static struct err_list errs;
	struct network_config *n = NULL;
	bool kept;
	size_t len;
	int r;

	if (!patch || size > 4096)
		return 0;
	errs.n = errs.dropped = 0;
	len = size - (size_t)(++patch - text);
	r = config_edit("fuzz.yaml", text, (size_t)(patch - text) - 1, patch, len, &out, &kept, &n,
			&errs);
	CHECK(r == 0 || (r == -EINVAL && errs.n > 0));
	CHECK((r == 0) == (n != NULL));
	if (r == 0)
		check_again(&out, patch, len, n);
	network_config_free(n);
	buf_done(&out);
	return 0;
}
