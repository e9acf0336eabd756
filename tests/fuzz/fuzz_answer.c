/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_answer.c - frames that a probe sees at a guest's port. */
// libs: wire base
#include <stddef.h>
#include <stdint.h>
#include "wire/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer a;

	if (answer_parse(data, size, &a) == 0 && a.prefix.len > 128)
		__builtin_trap();
	return 0;
}
