/* SPDX-License-Identifier: GPL-2.0-or-later */
/* golden.c - see golden.h. */
#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/macro.h"
#include "base/text.h"
#include "model/config.h"

static FILE *open_case(const char *name, const char *suffix, const char *mode)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.%s", GOLDEN_DIR, name, suffix);
	f = fopen(path, mode);
	if (!f)
		fail_msg("%s: cannot be opened", path);
	return f;
}

void golden_each(void (*fn)(const char *name))
{
	glob_t found;

	assert_int_equal(glob(GOLDEN_DIR "/*.networks", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char name[NAME_MAX + 1];

		snprintf(name, sizeof(name), "%s", strrchr(found.gl_pathv[i], '/') + 1);
		*strrchr(name, '.') = '\0';
		print_message("case %s\n", name);
		fn(name);
	}
	globfree(&found);
}

/* "nat", "routed", "isolated" or "routed-accept" and so on, in the place of NAT's ports. */
static void read_mode(const char *word, struct fw_network *n)
{
	const char *inbound = strchr(word, '-');
	size_t len = inbound ? (size_t)(inbound - word) : strlen(word);

	while (strlen(network_mode_name(n->mode)) != len ||
	       strncmp(network_mode_name(n->mode), word, len) != 0)
		assert_true(++n->mode < NETWORK_MODE_COUNT);
	while (inbound && strcmp(network_inbound_name(n->inbound), inbound + 1) != 0)
		assert_true(++n->inbound < INBOUND_COUNT);
}

static void read_ports(char *range, struct fw_network *n)
{
	uint32_t min, max;

	assert_int_equal(text_u32(strsep(&range, "-"), 1, 65535, &min), 0);
	assert_int_equal(text_u32(range, 1, 65535, &max), 0);
	n->port_min = (uint16_t)min;
	n->port_max = (uint16_t)max;
}

static void read_source(char *range, struct fw_network *n)
{
	assert_int_equal(ip4_parse(strsep(&range, "-"), &n->source_first), 0);
	n->source_last = n->source_first;
	if (range)
		assert_int_equal(ip4_parse(range, &n->source_last), 0);
}

/* One of the words behind a network's mode. */
static void read_more(char *word, struct fw_network *n, char (*uplinks)[IFNAMSIZ],
		      char (*uplinks6)[IFNAMSIZ])
{
	if (mac_parse(word, &n->mac) == 0) {
		n->isolates = true;
	} else if (ip6_prefix_parse(word, &n->subnet6) == 0) {
		n->ipv6 = true;
		n->gateway6 = ip6_network(&n->subnet6);
		n->gateway6.s6_addr[15] = 1;
	} else if (word[0] >= '0' && word[0] <= '9' && word[1] != ':') {
		read_source(word, n);
	} else if (strncmp(word, "6:", 2) == 0) {
		assert_true(n->n_uplinks6 < GOLDEN_UPLINKS);
		snprintf(uplinks6[n->n_uplinks6++], IFNAMSIZ, "%s", word + 2);
	} else {
		assert_true(n->n_uplinks < GOLDEN_UPLINKS);
		snprintf(uplinks[n->n_uplinks++], IFNAMSIZ, "%s", word);
	}
}

static void read_network(char *line, struct fw_network *n, char (*uplinks)[IFNAMSIZ],
			 char (*uplinks6)[IFNAMSIZ])
{
	char *save, *word = strtok_r(line, " \n", &save);

	snprintf(n->bridge, sizeof(n->bridge), "%s", word);
	word = strtok_r(NULL, " \n", &save);
	if (strcmp(word, "-") != 0)
		assert_int_equal(ip4_prefix_parse(word, &n->subnet), 0);
	word = strtok_r(NULL, " \n", &save);
	if (word[0] >= '0' && word[0] <= '9')
		read_ports(word, n);
	else
		read_mode(word, n);
	n->uplinks = (const char(*)[IFNAMSIZ])uplinks;
	n->uplinks6 = (const char(*)[IFNAMSIZ])uplinks6;
	while ((word = strtok_r(NULL, " \n", &save)) != NULL)
		read_more(word, n, uplinks, uplinks6);
}

static void read_closed(char *words, struct golden_input *in)
{
	struct fw_desired *d = &in->desired;
	char *save, *word = strtok_r(words, " \n", &save);

	for (; word; word = strtok_r(NULL, " \n", &save)) {
		assert_true(d->n_closed < GOLDEN_UPLINKS && d->n_switches < GOLDEN_UPLINKS);
		if (strcmp(word, "all") == 0)
			d->closed_all = true;
		else if (strncmp(word, "switch:", 7) == 0)
			snprintf(in->switches[d->n_switches++], IFNAMSIZ, "%s", word + 7);
		else
			snprintf(in->closed[d->n_closed++], IFNAMSIZ, "%s", word);
	}
	d->closed = (const char(*)[IFNAMSIZ])in->closed;
	d->switches = (const char(*)[IFNAMSIZ])in->switches;
}

static void read_peers6(const char *words, struct golden_input *in)
{
	struct fw_peer *p = &in->peers[in->desired.n_peers++];

	assert_true(in->desired.n_peers <= GOLDEN_UPLINKS);
	assert_int_equal(sscanf(words, "%15s %15s", p->from, p->to), 2);
	p->ipv6 = true;
	in->desired.peers = in->peers;
}

/* "+ 192.168.122.10 tcp 8080 -> 80": a guest of the network in the line above, and its forward. */
static void read_forward(char *line, struct fw_network *n, struct golden_input *in)
{
	struct guest_config *g = &in->guests[in->n_guests];
	struct forward *f = &in->forwards[in->n_guests];
	const char *why;
	char *blank = strchr(line, ' ');

	assert_true(++in->n_guests <= GOLDEN_GUESTS);
	line[strcspn(line, "\n")] = '\0';
	*blank = '\0';
	assert_int_equal(ip4_parse(line, &g->ipv4), 0);
	g->has_ipv4 = true;
	if (forward_parse(blank + 1, f, &why) != 0)
		fail_msg("%s", blank + 1);
	g->forwards = f;
	g->n_forwards = 1;
	if (!n->guests)
		n->guests = g;
	n->n_guests++;
}

/* struct kept - configurations stay as long as the test: the input points to them. */
struct kept {
	struct network_config *config;
	struct fw_guest who[GOLDEN_GUESTS];
	struct guest_prefix addrs[GOLDEN_GUESTS];
	struct kept *next;
};

static struct kept *all_kept;

/* "NAME, policy: { ... }, guests: { ... }" of the network in the line above, as its file has it. */
static void read_config(const char *text, struct fw_network *n)
{
	struct kept *k = calloc(1, sizeof(*k));
	struct err_list errs = {0};
	char yaml[4096];

	assert_non_null(k);
	k->next = all_kept;
	all_kept = k;
	snprintf(yaml, sizeof(yaml), "{ipv4: {subnet: 192.0.2.0/24}, network: %.*s}",
		 (int)strcspn(text, "\n"), text);
	if (network_config_parse("case", yaml, strlen(yaml), &k->config, &errs) < 0)
		fail_msg("%s: %s", errs.items[0].where, errs.items[0].message);
	strcpy(n->name, k->config->name);
	n->policy = &k->config->policy;
	n->limits = limits_of(k->config, NULL);
	n->who = k->who;
	for (size_t i = 0; i < k->config->n_guests; i++) {
		const struct guest_config *g = &k->config->guests[i];
		struct fw_guest *w = &k->who[n->n_who++];

		assert_true(n->n_who <= GOLDEN_GUESTS);
		*w = (struct fw_guest){.name = g->name, .limits = limits_of(k->config, g)};
		w->macs = &g->mac;
		w->n_macs = g->has_mac;
		k->addrs[i].ip4 = (struct ip4_prefix){g->ipv4, 32};
		w->addrs = g->n_addresses ? g->addresses : &k->addrs[i];
		w->n_addrs = g->n_addresses ? g->n_addresses : g->has_ipv4;
	}
}

void golden_input_read(const char *name, struct golden_input *ret)
{
	FILE *f = open_case(name, "networks", "r");
	size_t n = 0;
	char line[4096];

	memset(ret, 0, sizeof(*ret));
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		if (line[0] == '+') {
			assert_true(n > 0);
			read_forward(line + 2, &ret->networks[n - 1], ret);
			continue;
		}
		if (strncmp(line, "network: ", 9) == 0) {
			assert_true(n > 0);
			read_config(line + 9, &ret->networks[n - 1]);
			continue;
		}
		if (strncmp(line, "closed:", 7) == 0) {
			read_closed(line + 7, ret);
			continue;
		}
		if (strncmp(line, "peers6:", 7) == 0) {
			read_peers6(line + 7, ret);
			continue;
		}
		assert_true(n < GOLDEN_NETWORKS);
		read_network(line, &ret->networks[n], ret->uplinks[n], ret->uplinks6[n]);
		n++;
	}
	fclose(f);
	ret->desired.networks = ret->networks;
	ret->desired.n = n;
}

void golden_check(const char *name, const char *suffix, const char *text)
{
	_cleanup_(freep) char *expected = calloc(1, GOLDEN_TEXT_MAX);
	FILE *f;

	if (getenv("GOLDEN_UPDATE")) {
		f = open_case(name, suffix, "w");
		fputs(text, f);
		assert_int_equal(fclose(f), 0);
	}
	assert_non_null(expected);
	f = open_case(name, suffix, "r");
	assert_true(fread(expected, 1, GOLDEN_TEXT_MAX - 1, f) > 0);
	fclose(f);
	assert_string_equal(text, expected);
}
