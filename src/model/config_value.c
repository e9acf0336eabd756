/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_value.c - see config_value.h. Next on the walk: config_parse.c. */
#include "model/config_value.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"

struct unit {
	char letter;
	uint32_t seconds;
};

static const struct unit units[] = {
	{'w', 7 * 86400}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1},
};

static uint32_t unit_seconds(char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (units[i].letter == letter)
			return units[i].seconds;
	return 0;
}

int config_duration(const char *text, uint32_t min_s, uint32_t max_s, uint32_t *ret_s)
{
	size_t len = strlen(text);
	uint32_t count, seconds = 1;
	char number[16];
	int r;

	if (len == 0 || len >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, len + 1);
	if (number[len - 1] < '0' || number[len - 1] > '9') {
		seconds = unit_seconds(number[len - 1]);
		number[len - 1] = '\0';
	}
	if (seconds == 0)
		return -EINVAL;
	r = text_u32(number, 0, max_s / seconds, &count);
	if (r < 0)
		return r;
	if (count * seconds < min_s)
		return -ERANGE;
	*ret_s = count * seconds;
	return 0;
}

const char *config_duration_format(uint32_t s, char buf[static 16])
{
	const struct unit *u = units;

	while (u->seconds > 1 && s % u->seconds != 0)
		u++;
	snprintf(buf, 16, "%u%c", s / u->seconds, u->letter);
	return buf;
}

/* Cut "A-B" at its only '-' into two texts of @size. */
static int split(const char *text, char *a, char *b, size_t size)
{
	const char *dash = strchr(text, '-');

	if (!dash || (size_t)(dash - text) >= size || strlen(dash + 1) >= size)
		return -EINVAL;
	memcpy(a, text, (size_t)(dash - text));
	a[dash - text] = '\0';
	strcpy(b, dash + 1);
	return 0;
}

int config_port_range(const char *text, uint16_t *ret_min, uint16_t *ret_max)
{
	char a[16], b[16];
	uint32_t min = 0, max = 0;
	int r = split(text, a, b, sizeof(a));

	if (r == 0)
		r = text_u32(a, 1, UINT16_MAX, &min);
	if (r == 0)
		r = text_u32(b, 1, UINT16_MAX, &max);
	if (r < 0)
		return r;
	if (min > max)
		return -ERANGE;
	*ret_min = (uint16_t)min;
	*ret_max = (uint16_t)max;
	return 0;
}

int config_ip4_range(const char *text, struct in_addr *ret_first, struct in_addr *ret_last)
{
	char a[IP4_STRLEN], b[IP4_STRLEN];
	struct in_addr first, last;

	if (split(text, a, b, sizeof(a)) < 0 || ip4_parse(a, &first) < 0 || ip4_parse(b, &last) < 0)
		return -EINVAL;
	if (ip4_host(first) > ip4_host(last))
		return -ERANGE;
	*ret_first = first;
	*ret_last = last;
	return 0;
}

static bool letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool account_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_LEN || (!letter_or_digit(name[0]) && name[0] != '_'))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!letter_or_digit(name[i]) && !strchr("_.-@$", name[i]))
			return false;
	return true;
}

int config_access(const char *text, struct access_entry *ret)
{
	struct access_entry e = {0};
	const char *name;

	if (strncmp(text, "user:", 5) == 0) {
		name = text + 5;
	} else if (strncmp(text, "group:", 6) == 0) {
		name = text + 6;
		e.is_group = true;
	} else {
		return -EINVAL;
	}
	if (!account_valid(name))
		return -ERANGE;
	strcpy(e.name, name);
	*ret = e;
	return 0;
}

static bool label_valid(const char *label, size_t len)
{
	if (len == 0 || len > 63 || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!letter_or_digit(label[i]) && label[i] != '-')
			return false;
	return true;
}

bool config_domain_valid(const char *name)
{
	if (strlen(name) > DOMAIN_MAX_LEN)
		return false;
	for (;;) {
		size_t len = strcspn(name, ".");

		if (!label_valid(name, len))
			return false;
		if (!name[len])
			return true;
		name += len + 1;
	}
}

bool config_ifname_valid(const char *name)
{
	/* "all" and "default" are directories in /proc/sys/net/ipv4/conf, "lo" is taken. */
	static const char *const reserved[] = {"all", "default", "lo"};

	if (!ifname_valid(name) || (!letter_or_digit(name[0]) && name[0] != '_'))
		return false;
	for (const char *c = name; *c; c++)
		if (!letter_or_digit(*c) && !strchr("_.-@+", *c))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (strcmp(name, reserved[i]) == 0)
			return false;
	return true;
}

const char *ip4_unusable(const struct ip4_prefix *p)
{
	static const struct {
		uint32_t addr;
		uint8_t len;
		const char *what;
	} blocks[] = {
		/* RFC 6890 */
		{0x00000000, 8, "\"this network\" addresses (0.0.0.0/8)"},
		{0x7f000000, 8, "loopback addresses (127.0.0.0/8)"},
		{0xa9fe0000, 16, "link-local addresses (169.254.0.0/16), which no router forwards"},
		{0xe0000000, 4, "multicast addresses (224.0.0.0/4)"},
		{0xf0000000, 4, "reserved addresses (240.0.0.0/4)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		struct ip4_prefix block = {ip4_from_host(blocks[i].addr), blocks[i].len};

		if (ip4_overlap(p, &block))
			return blocks[i].what;
	}
	return NULL;
}

const char *ip6_unusable(const struct ip6_prefix *p)
{
	static const struct {
		const char *block;
		const char *what;
	} blocks[] = {
		/* RFC 4291 2.4 and 2.5 */
		{"::/8", "reserved addresses (::/8), loopback and IPv4-mapped ones among them"},
		{"fe80::/10", "link-local addresses (fe80::/10), which no router forwards"},
		{"fec0::/10", "site-local addresses (fec0::/10), which are deprecated"},
		{"ff00::/8", "multicast addresses (ff00::/8)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		struct ip6_prefix block;

		if (ip6_prefix_parse(blocks[i].block, &block) == 0 && ip6_overlap(p, &block))
			return blocks[i].what;
	}
	return NULL;
}
