/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of cli/output.c and cli/picture.c: tables, escapes, and the line of boxes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "cli/picture.h"

static json_t *json(const char *text)
{
	json_error_t e;
	json_t *j = json_loads(text, 0, &e);

	if (!j)
		fail_msg("%s: %s", text, e.text);
	return j;
}

static const struct out_col columns[] = {
	{"NAME", "name", out_cell_text},
	{"STATE", "state", out_cell_text, .state = true},
	{"N", "n", out_cell_text, .right = true},
	{"GUESTS", "guests", out_cell_list},
};

static void test_table(void **state)
{
	json_t *rows = json("[{\"name\": \"a\", \"state\": \"running\", \"n\": 7, \"guests\": []},"
			    " {\"name\": \"longer\", \"state\": null, \"n\": 12,"
			    "  \"guests\": [\"x\", {\"name\": \"y\"}]}]");
	char *text = NULL;

	(void)state;
	assert_int_equal(out_table(columns, ARRAY_SIZE(columns), rows, false, &text), 0);
	assert_string_equal(text, "NAME   STATE    N GUESTS\n"
				  "a      running  7 -\n"
				  "longer -       12 x, y");
	free(text);
	assert_int_equal(out_table(columns, ARRAY_SIZE(columns), rows, true, &text), 0);
	assert_non_null(strstr(text, "\033[32mrunning\033[0m"));
	free(text);
	text = NULL;
	assert_int_equal(
		out_table(columns, ARRAY_SIZE(columns), json_object_get(rows, "x"), false, &text),
		-EINVAL);
	assert_null(text);
	json_decref(rows);
}

/* What a guest calls itself must not reach the terminal as it is, by no way. */
static void test_table_is_safe(void **state)
{
	json_t *rows = json("[{\"name\": \"a\\u001b[2Jb\\u009bc\\nd\"}]");
	char *text = NULL;

	(void)state;
	assert_int_equal(out_table(columns, 1, rows, false, &text), 0);
	assert_null(strchr(text, '\033'));
	assert_null(strstr(text, "\xc2\x9b"));
	free(text);
	assert_int_equal(out_sanitize(rows), 0);
	assert_string_equal(out_str(json_array_get(rows, 0), "name"),
			    "a\\033[2Jb\\302\\233c\\012d");
	json_decref(rows);
}

static void test_escape(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} cases[] = {
		{"", ""},
		{"plain text", "plain text"},
		{"tab\there", "tab\\011here"},
		{"\x7f", "\\177"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"\xc3", "\\303"},	    /* cut short */
		{"\xff\xfe", "\\377\\376"}, /* no UTF-8 */
		{"a\xe2\x80\xae"
		 "b",
		 "a\\342\\200\\256b"},		     /* right-to-left override */
		{"\xe2\x81\xa6", "\\342\\201\\246"}, /* isolate */
		{"\\033", "\\033"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = BUF_INIT(256);

		out_escape(&out, cases[i].in);
		assert_string_equal(buf_str(&out), cases[i].out);
		buf_done(&out);
	}
}

static void test_sanitize_walks(void **state)
{
	json_t *j = json("{\"a\": [\"\\u0001\", {\"b\": \"\\u0002\", \"n\": 5}], \"c\": null}");
	json_t *want = json("{\"a\": [\"\\\\001\", {\"b\": \"\\\\002\", \"n\": 5}], \"c\": null}");

	(void)state;
	assert_int_equal(out_sanitize(j), 0);
	assert_true(json_equal(j, want));
	json_decref(j);
	json_decref(want);
}

static void test_duration(void **state)
{
	static const struct {
		int64_t s;
		const char *text;
	} cases[] = {
		{-5, "0s"},
		{0, "0s"},
		{59, "59s"},
		{60, "1m"},
		{3599, "59m"},
		{3600, "1h"},
		{3660, "1h 1m"},
		{86399, "23h 59m"},
		{86400, "1d"},
		{90000, "1d 1h"},
		{INT32_MAX, "24855d 3h"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = BUF_INIT(64);

		out_duration(&out, cases[i].s);
		assert_string_equal(buf_str(&out), cases[i].text);
		buf_done(&out);
	}
}

static void test_cells(void **state)
{
	static const struct {
		out_cell_fn cell;
		const char *value;
		const char *text;
	} cases[] = {
		{out_cell_bytes, "0", "0"},
		{out_cell_bytes, "1023", "1023"},
		{out_cell_bytes, "1024", "1.0K"},
		{out_cell_bytes, "1048575", "1.0M"},
		{out_cell_bytes, "123456789", "117.7M"},
		{out_cell_bytes, "9223372036854775807", "8.0E"},
		{out_cell_bytes, "null", ""},
		{out_cell_expiry, "3590", "in 59m"},
		{out_cell_expiry, "0", "expired"},
		{out_cell_expiry, "-3", "expired"},
		{out_cell_expiry, "null", ""},
		{out_cell_age, "75", "1m"},
		{out_cell_age, "null", ""},
		{out_cell_link, "true", "up"},
		{out_cell_link, "false", "down"},
		{out_cell_link, "null", ""},
		{out_cell_text, "-7", "-7"},
		{out_cell_text, "\"x\"", "x"},
		{out_cell_list, "[1,2,3,4,5,6,7,8,9,10]", "?, ?, ?, ?, ?, ?, ?, ?, +2"},
		{out_cell_list, "\"no list\"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = BUF_INIT(256);
		char text[128];
		json_t *row;

		snprintf(text, sizeof(text), "{\"k\": %s}", cases[i].value);
		row = json(text);
		cases[i].cell(row, "k", &out);
		assert_string_equal(buf_str(&out), cases[i].text);
		buf_done(&out);
		json_decref(row);
	}
}

#define BRIDGE "\"bridge\": \"vl-d\", \"gateway\": \"10.0.0.1\""

static void test_picture_network(void **state)
{
	static const struct {
		const char *network;
		const char *text;
	} cases[] = {
		{"{" BRIDGE ", \"state\": \"running\", \"guests\": [\"web1\", \"web2\"],"
		 " \"uplinks\": [{\"name\": \"eth0\", \"address\": \"203.0.113.2\"}]}",
		 "[guests: web1, web2] -> [bridge vl-d 10.0.0.1] -> [NAT: 203.0.113.2] -> "
		 "[uplink eth0] -> Internet"},
		{"{" BRIDGE ", \"state\": \"running\", \"guests\": [], \"uplinks\": []}",
		 "[no guests] -> [bridge vl-d 10.0.0.1] -> (no uplink: the host has no default "
		 "route)"},
		{"{" BRIDGE ", \"state\": \"running\", \"uplink\": \"eth9\", \"uplinks\": []}",
		 "[no guests] -> [bridge vl-d 10.0.0.1] -> (no uplink: there is no eth9)"},
		{"{" BRIDGE ", \"state\": \"stopped\", \"guests\": [\"a\"]}",
		 "[guests: a] -> [bridge vl-d 10.0.0.1] -> (stopped)"},
		{"{" BRIDGE
		 ", \"uplinks\": [{\"name\": \"a\", \"address\": null}, {\"name\": \"b\","
		 " \"address\": \"1.1.1.1\"}]}",
		 "[no guests] -> [bridge vl-d 10.0.0.1] -> [NAT: ?, 1.1.1.1] -> [uplink a, b] -> "
		 "Internet"},
		{"{" BRIDGE ", \"mode\": \"routed\", \"inbound\": \"established\","
		 " \"uplinks\": [{\"name\": \"eth0\", \"address\": \"203.0.113.2\"}]}",
		 "[no guests] -> [bridge vl-d 10.0.0.1] -> [routed] -> [uplink eth0] -> Internet"},
		{"{" BRIDGE ", \"mode\": \"routed\", \"inbound\": \"accept\","
		 " \"uplinks\": [{\"name\": \"eth0\", \"address\": \"203.0.113.2\"}]}",
		 "[no guests] -> [bridge vl-d 10.0.0.1] <-> [routed] <-> [uplink eth0] <-> "
		 "Internet"},
		{"{" BRIDGE ", \"mode\": \"routed\", \"inbound\": \"none\", \"uplinks\": []}",
		 "[no guests] -> [bridge vl-d 10.0.0.1] (no way out of this host)"},
		{"{" BRIDGE ", \"mode\": \"isolated\", \"host\": true, \"uplinks\": []}",
		 "[no guests] -> [bridge vl-d 10.0.0.1] (no way out of this host)"},
		{"{\"bridge\": \"vl-d\", \"gateway\": null, \"mode\": \"isolated\","
		 " \"host\": false, \"uplinks\": [], \"guests\": [\"a\"]}",
		 "[guests: a] -> [bridge vl-d] (no way out, not even to this host)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf out = BUF_INIT(1024);
		json_t *network = json(cases[i].network);

		picture_network(network, &out);
		assert_string_equal(buf_str(&out), cases[i].text);
		buf_done(&out);
		json_decref(network);
	}
}

static void test_picture_guest(void **state)
{
	json_t *guest = json("{\"name\": \"web1\", \"tap\": \"vl-web1\", \"bridge\": \"vl-d\","
			     " \"ipv4\": \"10.0.0.9\"}");
	json_t *absent = json("{\"name\": \"web2\", \"tap\": null, \"ipv4\": null}");
	struct buf out = BUF_INIT(1024);

	(void)state;
	picture_guest(guest, NULL, &out);
	assert_string_equal(buf_str(&out),
			    "[guest web1 10.0.0.9] -> [tap vl-web1] -> [bridge vl-d]");
	buf_done(&out);
	picture_guest(absent, NULL, &out);
	assert_string_equal(buf_str(&out), "[guest web2] -> (not plugged in)");
	buf_done(&out);
	json_decref(guest);
	json_decref(absent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),		cmocka_unit_test(test_table_is_safe),
		cmocka_unit_test(test_escape),		cmocka_unit_test(test_sanitize_walks),
		cmocka_unit_test(test_duration),	cmocka_unit_test(test_cells),
		cmocka_unit_test(test_picture_network), cmocka_unit_test(test_picture_guest),
	};

	if (!setlocale(LC_ALL, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
