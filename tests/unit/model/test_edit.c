/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_edit(): single keys change in a file, and everything else of it stays as it was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/config_edit.h"

static const char lab[] = "# The laboratory.\n"
			  "network: lab   # as the file\n"
			  "ipv4:\n"
			  "  subnet: 10.4.0.0/24\n"
			  "\n"
			  "switch: { stp: on, ageing: 90 }  # slow\n"
			  "dns:\n"
			  "  # ours\n"
			  "  domain: lab.vm\n"
			  "  servers:\n"
			  "    - 192.0.2.53\n"
			  "    - 192.0.2.54\n"
			  "guests:\n"
			  "  a:\n"
			  "    mac: 52:54:00:00:00:01  # printed on it\n"
			  "  b: {}\n";

/* struct edit_case - @old is what of lab is replaced by @new; all else has to stay. */
struct edit_case {
	const char *patch;
	const char *old;
	const char *new;
};

static const struct edit_case cases[] = {
	/* values */
	{"{\"switch\": {\"stp\": \"off\"}}", "stp: on", "stp: off"},
	{"{\"switch\": {\"ageing\": 60}}", "ageing: 90", "ageing: 60"},
	{"{\"ipv4\": {\"subnet\": \"10.5.0.0/24\"}}", "10.4.0.0/24", "10.5.0.0/24"},
	{"{\"guests\": {\"a\": {\"mac\": \"52:54:00:00:00:02\"}}}", "00:01", "00:02"},
	{"{\"dns\": {\"servers\": [\"192.0.2.55\"]}}",
	 "servers:\n    - 192.0.2.53\n    - 192.0.2.54\n", "servers: [192.0.2.55]\n"},
	/* what was not there */
	{"{\"mtu\": 1400}", "  b: {}\n", "  b: {}\nmtu: 1400\n"},
	{"{\"switch\": {\"learning\": \"off\"}}", "{ stp", "{ learning: off, stp"},
	{"{\"ipv4\": {\"gateway\": \"10.4.0.9\"}}", "0/24\n", "0/24\n  gateway: 10.4.0.9\n"},
	{"{\"guests\": {\"a\": {\"isolate\": true}}}", "printed on it\n",
	 "printed on it\n    isolate: true\n"},
	{"{\"guests\": {\"b\": {\"ipv4\": \"10.4.0.7\"}}}", "b: {}", "b: {ipv4: 10.4.0.7}"},
	{"{\"guests\": {\"c\": {}}}", "b: {}\n", "b: {}\n  c: {}\n"},
	{"{\"nat\": {\"ports\": \"2000-3000\"}}", "b: {}\n", "b: {}\nnat: {ports: 2000-3000}\n"},
	{"{\"access\": [\"user:me\", \"group:us\"]}", "b: {}\n",
	 "b: {}\naccess: [user:me, group:us]\n"},
	/* what goes */
	{"{\"switch\": {\"stp\": null}}", "{ stp: on, ageing", "{ ageing"},
	{"{\"switch\": {\"ageing\": null}}", "stp: on, ageing: 90 }", "stp: on }"},
	{"{\"switch\": null}", "switch: { stp: on, ageing: 90 }  # slow\n", ""},
	{"{\"switch\": {\"stp\": null, \"ageing\": null}}",
	 "switch: { stp: on, ageing: 90 }  # slow\n", ""},
	{"{\"dns\": {\"servers\": null}}", "  servers:\n    - 192.0.2.53\n    - 192.0.2.54\n", ""},
	{"{\"guests\": {\"a\": {\"mac\": null}}}", ":\n    mac: 52:54:00:00:00:01  #", ": {}  #"},
	{"{\"guests\": {\"b\": null}}", "  b: {}\n", ""},
	/* nothing of it is there */
	{"{\"mtu\": null, \"nat\": {\"ports\": null}, \"guests\": {\"z\": null}}", "", ""},
};

/* @text with the first @old in it replaced. */
static void replaced(const char *text, const struct edit_case *c, char *ret, size_t size)
{
	const char *at = strstr(text, c->old);

	assert_non_null(at);
	snprintf(ret, size, "%.*s%s%s", (int)(at - text), text, c->new, at + strlen(c->old));
}

static int run_edit(const char *text, const char *patch, struct buf *out, bool *kept,
		    struct err_list *errs)
{
	struct network_config *n = NULL;
	int r = config_edit("lab.yaml", text, strlen(text), patch, strlen(patch), out, kept, &n,
			    errs);

	assert_true((r == 0) == (n != NULL));
	network_config_free(n);
	return r;
}

static void test_the_rest_stays(void **state)
{
	char expected[2048];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = BUF_INIT(CONFIG_FILE_MAX);
		bool kept = false;

		replaced(lab, &cases[i], expected, sizeof(expected));
		assert_int_equal(run_edit(lab, cases[i].patch, &out, &kept, NULL), 0);
		assert_string_equal(buf_str(&out), expected);
		assert_true(kept);
		buf_done(&out);
	}
}

/* Odd ways of writing the same; whatever becomes of the text, it means what was asked for. */
static void test_odd_texts(void **state)
{
	static const struct {
		const char *text;
		const char *patch;
		const char *wanted;
		bool kept;
	} odd[] = {
		{"{network: lab, ipv4: {subnet: 10.4.0.0/24}}", "{mtu: 1400}",
		 "{mtu: 1400, network: lab, ipv4: {subnet: 10.4.0.0/24}}", true},
		{"network: lab\r\nipv4: {subnet: 10.4.0.0/24}\r\n", "{mtu: 1400}",
		 "network: lab\r\nipv4: {subnet: 10.4.0.0/24}\r\nmtu: 1400\n", true},
		{"\xef\xbb\xbfnetwork: lab\nipv4: {subnet: 10.4.0.0/24}\n",
		 "{network: lab, mtu: 600}",
		 "network: lab\nipv4: {subnet: 10.4.0.0/24}\nmtu: 600\n", true},
		{"network: lab\nipv4: {subnet: 10.4.0.0/24} # \xc3\xa4\xc3\xb6\n",
		 "{ipv4: {subnet: auto}}",
		 "network: lab\nipv4: {subnet: auto} # \xc3\xa4\xc3\xb6\n", true},
		{"network: lab\nipv4: {subnet: 10.4.0.0/24}", "{mtu: 1400}",
		 "network: lab\nipv4: {subnet: 10.4.0.0/24}\nmtu: 1400\n", true},
		{"network: lab\nipv4:\n  subnet: >-\n    10.4.0.0/24\nmtu: 600\n",
		 "{ipv4: {subnet: 10.5.0.0/24}}", NULL, false},
		{"network: lab\nipv4: {\n  subnet: 10.4.0.0/24 # here\n  }\n",
		 "{ipv4: {gateway: 10.4.0.8}}",
		 "network: lab\nipv4: {gateway: 10.4.0.8, \n  subnet: 10.4.0.0/24 # here\n  }\n",
		 true},
		{"---\nnetwork: lab\nipv4: {subnet: 10.4.0.0/24}\n...\n", "{mtu: 1400}",
		 "---\nnetwork: lab\nipv4: {subnet: 10.4.0.0/24}\nmtu: 1400\n...\n", true},
		{"\"network\": \"lab\"\n'ipv4': {'subnet': '10.4.0.0/24'}\n",
		 "{\"ipv4\": {\"subnet\": \"10.6.0.0/24\"}}",
		 "\"network\": \"lab\"\n'ipv4': {'subnet': 10.6.0.0/24}\n", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		struct buf out = BUF_INIT(CONFIG_FILE_MAX);
		bool kept = !odd[i].kept;

		assert_int_equal(run_edit(odd[i].text, odd[i].patch, &out, &kept, NULL), 0);
		assert_true(kept == odd[i].kept);
		if (odd[i].wanted)
			assert_string_equal(buf_str(&out), odd[i].wanted);
		else
			assert_non_null(strstr(buf_str(&out), "  subnet: 10.5.0.0/24\n"));
		buf_done(&out);
	}
}

static void expect_refused(const char *text, const char *patch, const char *where,
			   const char *words)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	struct buf out = BUF_INIT(CONFIG_FILE_MAX);
	bool kept;

	assert_non_null(errs);
	assert_int_equal(run_edit(text, patch, &out, &kept, errs), -EINVAL);
	assert_true(errs->n >= 1);
	assert_non_null(strstr(errs->items[0].message, words));
	assert_int_equal(strncmp(errs->items[0].where, where, strlen(where)), 0);
	buf_done(&out);
	free(errs);
}

static void test_mistakes(void **state)
{
	(void)state;
	expect_refused(lab, "{mtu: 1}", "request", "expected a number from 576 to 65521");
	expect_refused(lab, "{swich: {stp: on}}", "request", "did you mean `switch`?");
	expect_refused(lab, "{ipv4: null}", "request", "key `ipv4` is missing");
	expect_refused(lab, "{ipv4: {subnet: null}}", "request", "key `ipv4` is missing");
	expect_refused(lab, "{switch: 7}", "request", "found the text");
	expect_refused(lab, "mtu", "request:1:1", "expected keys");
	expect_refused(lab, "{mtu: 1400, mtu: 1500}", "request:1:13", "duplicate key");
	expect_refused(lab, "{mtu: [}", "request:1:", "");
	expect_refused("network: [\n", "{mtu: 1400}", "lab.yaml:", "");
	expect_refused("", "{mtu: 1400}", "lab.yaml:1:1", "expected keys");
	/* A mistake that the file has elsewhere is told as of the change: it cannot be applied. */
	expect_refused("network: lab\nmtu: 9\n", "{host: true}", "request", "missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_rest_stays),
		cmocka_unit_test(test_odd_texts),
		cmocka_unit_test(test_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
