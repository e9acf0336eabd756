/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rate.c - bits a second as people write them; see network.h. Next on the walk: config_parse.c. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"
#include "model/network.h"

/* The units of tc(8) that are decimal and of bits: nobody can take them for bytes. */
static const struct {
	const char *name;
	uint64_t bits;
} rate_units[] = {{"gbit", 1000000000}, {"mbit", 1000000}, {"kbit", 1000}};

int rate_parse(const char *text, uint64_t *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(rate_units); i++) {
		size_t unit = strlen(rate_units[i].name), len = strlen(text);
		char number[RATE_STRLEN];
		uint32_t count;

		if (len <= unit || len - unit >= sizeof(number) ||
		    strcmp(text + len - unit, rate_units[i].name) != 0)
			continue;
		memcpy(number, text, len - unit);
		number[len - unit] = '\0';
		if (text_u32(number, 0, UINT32_MAX, &count) < 0)
			return -EINVAL;
		if (count * rate_units[i].bits < RATE_MIN || count * rate_units[i].bits > RATE_MAX)
			return -ERANGE;
		*ret = count * rate_units[i].bits;
		return 0;
	}
	return -EINVAL;
}

const char *rate_format(uint64_t bits, char buf[static RATE_STRLEN])
{
	for (size_t i = 0; i < ARRAY_SIZE(rate_units); i++) {
		if (bits % rate_units[i].bits != 0)
			continue;
		snprintf(buf, RATE_STRLEN, "%" PRIu64 "%s", bits / rate_units[i].bits,
			 rate_units[i].name);
		return buf;
	}
	snprintf(buf, RATE_STRLEN, "%" PRIu64 "bit", bits);
	return buf;
}
