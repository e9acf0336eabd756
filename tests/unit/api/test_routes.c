/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of api_dispatch(): every route, who may use it, and every way to ask wrongly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/server.h"
#include "fake.h"

#define USER 4242 /* neither root nor whoever runs the test */

/* struct try - a request, and what must come of it: @call "" means the daemon is not asked. */
struct
try {
	const char *method;
	const char *path;
	const char *query;
	const char *body;
	uid_t uid;
	unsigned int status;
	const char *call;
	const char *code;
	const char *where;
};

#define OPEN "/v1/guests/web1/open"
#define OK_OPEN "{\"network\": \"default\"}"

/* clang-format off */
static const struct try tries[] = {
	{"GET", "/v1/status", NULL, "", USER, 200, "status", NULL, NULL},
	{"GET", "/v1/networks", NULL, "", USER, 200, "network_list", NULL, NULL},
	{"POST", "/v1/networks", NULL, "{\"network\": \"lab\"}", 0, 201, "network_create 18:{\"network\": \"lab\"} uid=0", NULL, NULL},
	{"GET", "/v1/networks/default", NULL, "", USER, 200, "network_show default", NULL, NULL},
	{"GET", "/v1/networks/default/config", NULL, "", USER, 200, "network_config default", NULL, NULL},
	{"PUT", "/v1/networks/default", NULL, "network: default", 0, 200, "network_replace default 16:network: default confirm=0 uid=0", NULL, NULL},
	{"PUT", "/v1/networks/default", "confirm=9&force=1", "x", 0, 200, "network_replace default 1:x force confirm=9 uid=0", NULL, NULL},
	{"PUT", "/v1/networks/default", NULL, "network: default", USER, 403, "", "not-allowed", NULL},
	{"PATCH", "/v1/networks/default", NULL, "{\"mtu\":1400}", 0, 200, "network_change default 12:{\"mtu\":1400} confirm=0 uid=0", NULL, NULL},
	{"PATCH", "/v1/networks/default", NULL, "{}", USER, 403, "", "not-allowed", NULL},
	{"DELETE", "/v1/networks/default", NULL, "", 0, 200, "network_delete default uid=0", NULL, NULL},
	{"DELETE", "/v1/networks/default", "force=1", "", 0, 200, "network_delete default force uid=0", NULL, NULL},
	{"DELETE", "/v1/networks/default", "force=0", "", 0, 200, "network_delete default uid=0", NULL, NULL},
	{"POST", "/v1/networks/default/start", NULL, "", 0, 200, "network_start default uid=0", NULL, NULL},
	{"POST", "/v1/networks/default/start", NULL, "{}", 0, 200, "network_start default uid=0", NULL, NULL},
	{"POST", "/v1/networks/default/stop", "force=true", "", 0, 200, "network_stop default force uid=0", NULL, NULL},
	{"GET", "/v1/check", NULL, "", USER, 200, "check", NULL, NULL},
	{"GET", "/v1/diff", NULL, "", USER, 200, "diff", NULL, NULL},
	{"POST", "/v1/apply", NULL, "", 0, 200, "apply uid=0", NULL, NULL},
	{"POST", "/v1/apply", NULL, "{\"force\":true}", 0, 200, "apply force uid=0", NULL, NULL},
	{"POST", "/v1/apply", NULL, "{\"confirm\":30}", 0, 200, "apply confirm=30 uid=0", NULL, NULL},
	{"POST", "/v1/apply", NULL, "{\"confirm\":0}", 0, 400, "", "bad-value", "confirm"},
	{"POST", "/v1/confirm", NULL, "", 0, 200, "confirm uid=0", NULL, NULL},
	{"POST", "/v1/confirm", NULL, "", USER, 403, "", "not-allowed", NULL},
	{"POST", "/v1/networks", "confirm=30&force=1", "{}", 0, 201, "network_create force confirm=30 uid=0", NULL, NULL},
	{"POST", "/v1/networks", "confirm=3601", "{}", 0, 400, "", "bad-query", "confirm"},
	{"POST", "/v1/networks", "confirm=0", "{}", 0, 400, "", "bad-query", "confirm"},
	{"POST", "/v1/networks", "confirm=", "{}", 0, 400, "", "bad-query", "confirm"},
	{"POST", "/v1/networks", "confirm=1s", "{}", 0, 400, "", "bad-query", "confirm"},
	{"POST", "/v1/networks", "confirm=1&confirm=1", "{}", 0, 400, "", "bad-query", "confirm"},
	{"POST", "/v1/networks/default/start", "confirm=5", "", 0, 200, "network_start default confirm=5 uid=0", NULL, NULL},
	{"POST", "/v1/networks/default/stop", "confirm=5", "", 0, 400, "", "bad-query", ""},
	{"GET", "/v1/guests", NULL, "", USER, 200, "guest_list", NULL, NULL},
	{"POST", "/v1/guests", NULL, "{\"name\":\"web1\",\"network\":\"default\"}", USER, 201, "guest_attach web1 default mac= owner=-1 queues=1 uid=4242", NULL, NULL},
	{"POST", "/v1/guests", NULL, "{\"name\":\"web1\",\"network\":\"default\",\"mac\":\"52:54:00:00:00:01\",\"owner\":1000,\"queues\":256}", USER, 201, "guest_attach web1 default mac=52:54:00:00:00:01 owner=1000 queues=256 uid=4242", NULL, NULL},
	{"POST", "/v1/guests", NULL, "{\"name\":\"web1\",\"network\":\"default\",\"mac\":null,\"owner\":null}", USER, 201, "guest_attach web1 default mac= owner=-1 queues=1 uid=4242", NULL, NULL},
	{"GET", "/v1/guests/web1", NULL, "", USER, 200, "guest_show web1", NULL, NULL},
	{"GET", "/v1/guests/web%31", NULL, "", USER, 200, "guest_show web1", NULL, NULL},
	{"DELETE", "/v1/guests/web1", NULL, "", USER, 200, "guest_detach web1 uid=4242", NULL, NULL},
	{"POST", OPEN, NULL, OK_OPEN, USER, 101, "guest_open web1 default mac= queues=1 pid=0 uid=4242", NULL, NULL},
	{"POST", OPEN, NULL, "{\"network\":\"default\",\"pid\":77,\"queues\":2}", USER, 101, "guest_open web1 default mac= queues=2 pid=77 uid=4242", NULL, NULL},
	{"GET", "/v1/ports", NULL, "", USER, 200, "port_list", NULL, NULL},
	{"GET", "/v1/macs", NULL, "", USER, 200, "mac_list", NULL, NULL},
	{"GET", "/v1/forwards", NULL, "", USER, 200, "forward_list", NULL, NULL},
	{"GET", "/v1/events", NULL, "", USER, 200, "events", NULL, NULL},
	{"GET", "/v1/leases", NULL, "", USER, 200, "lease_list", NULL, NULL},
	{"DELETE", "/v1/leases/default/192.168.122.5", NULL, "", 0, 200, "lease_release default 192.168.122.5 uid=0", NULL, NULL},

	/* who may not */
	{"POST", "/v1/networks", NULL, "{}", USER, 403, "", "not-allowed", ""},
	{"DELETE", "/v1/networks/default", NULL, "", USER, 403, "", "not-allowed", ""},
	{"POST", "/v1/networks/default/start", NULL, "", USER, 403, "", "not-allowed", ""},
	{"POST", "/v1/networks/default/stop", NULL, "", USER, 403, "", "not-allowed", ""},
	{"POST", "/v1/apply", NULL, "nonsense", USER, 403, "", "not-allowed", ""},
	{"DELETE", "/v1/leases/default/192.168.122.5", NULL, "", USER, 403, "", "not-allowed", ""},

	/* paths */
	{"GET", "/", NULL, "", 0, 404, "", "no-route", ""},
	{"GET", "", NULL, "", 0, 404, "", "no-route", ""},
	{"GET", "v1/status", NULL, "", 0, 404, "", "no-route", ""},
	{"GET", "/v1", NULL, "", 0, 404, "", "no-route", ""},
	{"GET", "/v2/status", NULL, "", 0, 404, "", "no-route", ""},
	{"GET", "/v1/status/", NULL, "", 0, 404, "", "no-route", ""},
	{"GET", "/v1//status", NULL, "", 0, 404, "", "no-route", ""},
	{"GET", "/v1/networks/", NULL, "", 0, 404, "", "no-route", ""},
	{"GET", "/v1/networks/a/b", NULL, "", 0, 404, "", "no-route", ""},
	{"GET", "/a/b/c/d/e/f/g/h", NULL, "", 0, 404, "", "no-route", ""},
	{"GET", "*", NULL, "", 0, 404, "", "no-route", ""},
	{"GET", "/v1/networks/a%", NULL, "", 0, 400, "", "bad-path", ""},
	{"GET", "/v1/networks/a%4", NULL, "", 0, 400, "", "bad-path", ""},
	{"GET", "/v1/networks/a%zz", NULL, "", 0, 400, "", "bad-path", ""},
	{"GET", "/v1/networks/a%00", NULL, "", 0, 400, "", "bad-name", ""},
	{"GET", "/v1/networks/a%2fb", NULL, "", 0, 400, "", "bad-name", ""},
	{"GET", "/v1/networks/a%0ab", NULL, "", 0, 400, "", "bad-name", ""},
	{"GET", "/v1/networks/..", NULL, "", 0, 400, "", "bad-name", ""},
	{"GET", "/v1/networks/%2e%2e", NULL, "", 0, 400, "", "bad-name", ""},
	{"GET", "/v1/networks/%c3%bc", NULL, "", 0, 400, "", "bad-name", ""},
	{"GET", "/v1/networks/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, "", 0, 400, "", "bad-name", ""},
	{"PUT", "/v1/networks", NULL, "", 0, 405, "", "method", ""},
	{"get", "/v1/networks", NULL, "", 0, 405, "", "method", ""},
	{"PATCH", "/v1/guests/x", NULL, "", 0, 405, "", "method", ""},

	/* queries */
	{"GET", "/v1/status", "", "", 0, 200, "status", NULL, NULL},
	{"GET", "/v1/status", "force=1", "", 0, 400, "", "bad-query", ""},
	{"DELETE", "/v1/networks/x", "force", "", 0, 400, "", "bad-query", ""},
	{"DELETE", "/v1/networks/x", "force=", "", 0, 400, "", "bad-query", "force"},
	{"DELETE", "/v1/networks/x", "force=yes", "", 0, 400, "", "bad-query", "force"},
	{"DELETE", "/v1/networks/x", "force=1&force=0", "", 0, 400, "", "bad-query", "force"},
	{"DELETE", "/v1/networks/x", "forced=1", "", 0, 400, "", "bad-query", ""},
	{"DELETE", "/v1/networks/x", "%66orce=1", "", 0, 400, "", "bad-query", ""},

	/* bodies */
	{"GET", "/v1/status", NULL, "{\"a\":1}", 0, 400, "", "unknown-key", "a"},
	{"POST", "/v1/apply", NULL, "[]", 0, 400, "", "bad-json", "request:1:1"},
	{"POST", "/v1/apply", NULL, "{\n \"force\": tru}", 0, 400, "", "bad-json", "request:2:13"},
	{"POST", "/v1/apply", NULL, "{\"force\":true,\"force\":false}", 0, 400, "", "bad-json", NULL},
	{"POST", "/v1/apply", NULL, "{} {}", 0, 400, "", "bad-json", NULL},
	{"POST", "/v1/apply", NULL, "{\"force\":\"\xff\"}", 0, 400, "", "bad-json", NULL},
	{"POST", "/v1/apply", NULL, "{\"force\":\"a\\u0000\"}", 0, 400, "", "bad-json", NULL},
	{"POST", "/v1/apply", NULL, "{\"force\":1}", 0, 400, "", "bad-value", "force"},
	{"POST", "/v1/apply", NULL, "{\"forse\":true}", 0, 400, "", "unknown-key", "forse"},
	{"POST", "/v1/apply", NULL, "{\"a\\nb\\u0007\":true}", 0, 400, "", "unknown-key", "a?b?"},
	{"POST", "/v1/guests", NULL, "", 0, 400, "", "missing-key", "name"},
	{"POST", "/v1/guests", NULL, "{\"name\":\"a\"}", 0, 400, "", "missing-key", "network"},
	{"POST", "/v1/guests", NULL, "{\"name\":null,\"network\":\"d\"}", 0, 400, "", "missing-key", "name"},
	{"POST", "/v1/guests", NULL, "{\"name\":\"a/b\",\"network\":\"d\"}", 0, 400, "", "bad-value", "name"},
	{"POST", "/v1/guests", NULL, "{\"name\":\"\",\"network\":\"d\"}", 0, 400, "", "bad-value", "name"},
	{"POST", "/v1/guests", NULL, "{\"name\":\".\",\"network\":\"d\"}", 0, 400, "", "bad-value", "name"},
	{"POST", "/v1/guests", NULL, "{\"name\":7,\"network\":\"d\"}", 0, 400, "", "bad-value", "name"},
	{"POST", "/v1/guests", NULL, "{\"name\":\"a\",\"network\":\"d\",\"mac\":\"52:54\"}", 0, 400, "", "bad-value", "mac"},
	{"POST", "/v1/guests", NULL, "{\"name\":\"a\",\"network\":\"d\",\"queues\":0}", 0, 400, "", "bad-value", "queues"},
	{"POST", "/v1/guests", NULL, "{\"name\":\"a\",\"network\":\"d\",\"queues\":257}", 0, 400, "", "bad-value", "queues"},
	{"POST", "/v1/guests", NULL, "{\"name\":\"a\",\"network\":\"d\",\"queues\":1.0}", 0, 400, "", "bad-value", "queues"},
	{"POST", "/v1/guests", NULL, "{\"name\":\"a\",\"network\":\"d\",\"queues\":99999999999999999999}", 0, 400, "", "bad-json", NULL},
	{"POST", "/v1/guests", NULL, "{\"name\":\"a\",\"network\":\"d\",\"owner\":-1}", 0, 400, "", "bad-value", "owner"},
	{"POST", "/v1/guests", NULL, "{\"name\":\"a\",\"network\":\"d\",\"owner\":4294967295}", 0, 400, "", "bad-value", "owner"},
	{"POST", "/v1/guests", NULL, "{\"name\":\"a\",\"network\":\"d\",\"pid\":1}", 0, 400, "", "unknown-key", "pid"},
	{"POST", OPEN, NULL, "{\"network\":\"d\",\"name\":\"x\"}", 0, 400, "", "unknown-key", "name"},
	{"POST", OPEN, NULL, "{\"network\":\"d\",\"pid\":0}", 0, 400, "", "bad-value", "pid"},
	{"POST", OPEN, NULL, "{\"network\":\"d\",\"pid\":4194305}", 0, 400, "", "bad-value", "pid"},
};
/* clang-format on */

static void ask(struct fake *f, const struct try *t, struct api_result *ret)
{
	struct peer peer = {.uid = t->uid, .gid = t->uid, .pid = 1};
	struct service svc = fake_service(f);

	api_dispatch(&svc, &peer, t->method, t->path, t->query, t->body, strlen(t->body), ret);
}

static const char *text_of(const struct api_result *r, const char *key)
{
	return json_string_value(json_object_get(r->body, key));
}

static void check_error(const struct try *t, const struct api_result *r)
{
	const json_t *errors = json_object_get(r->body, "errors");
	const json_t *first = json_array_get(errors, 0);

	assert_string_equal(text_of(r, "code"), t->code);
	if (t->where)
		assert_string_equal(text_of(r, "where"), t->where);
	assert_true(strlen(text_of(r, "message")) > 5);
	assert_string_equal(json_string_value(json_object_get(first, "code")), t->code);
}

static void test_tries(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		const struct try *t = &tries[i];
		struct fake f = {.n_fds = 1};
		struct api_result r;

		ask(&f, t, &r);
		if (r.status != t->status || strcmp(f.call, t->call) != 0)
			fail_msg("%s %s?%s %s: status %u, call '%s'", t->method, t->path,
				 t->query ? t->query : "", t->body, r.status, f.call);
		assert_int_equal(r.n_fds, r.status == 101 ? 1 : 0);
		assert_int_equal(api_upgrades(t->method, t->path),
				 strstr(t->path, "/open") != NULL);
		if (t->code)
			check_error(t, &r);
		else
			assert_string_equal(text_of(&r, "call"), t->call);
		api_result_done(&r);
	}
}

static void test_allow(void **state)
{
	const struct try t = {.method = "PUT", .path = "/v1/networks", .body = ""};
	struct fake f = {.calls = 0};
	struct api_result r;

	ask(&f, &t, &r);
	assert_int_equal(r.status, 405);
	assert_string_equal(r.allow, "GET, POST");
	assert_int_equal(f.calls, 0);
	api_result_done(&r);
}

static void test_suggest(void **state)
{
	const struct try t = {.method = "POST",
			      .path = "/v1/guests",
			      .body = "{\"nam\":\"a\",\"netwrk\":\"d\",\"quques\":0,\"colour\":1}"};
	struct fake f = {.calls = 0};
	struct api_result r;
	char *text;

	ask(&f, &t, &r);
	text = json_dumps(r.body, 0);
	assert_int_equal(r.status, 400);
	/* all mistakes at once: three near misses, a stranger, and two keys that are missing */
	assert_int_equal(json_array_size(json_object_get(r.body, "errors")), 6);
	assert_non_null(strstr(text, "did you mean 'name'?"));
	assert_non_null(strstr(text, "did you mean 'network'?"));
	assert_non_null(strstr(text, "did you mean 'queues'?"));
	assert_non_null(strstr(text, "unknown key 'colour'\""));
	free(text);
	api_result_done(&r);
}

static void test_many_mistakes(void **state)
{
	struct fake f = {.calls = 0};
	struct try t = {.method = "POST", .path = "/v1/apply"};
	char body[4096] = "{";
	struct api_result r;
	const json_t *errors;

	for (int i = 0; i < 100; i++)
		snprintf(body + strlen(body), sizeof(body) - strlen(body), "%s\"key%d\":1",
			 i ? "," : "", i);
	strcat(body, "}");
	t.body = body;
	ask(&f, &t, &r);
	errors = json_object_get(r.body, "errors");
	assert_int_equal(json_array_size(errors), ERR_LIST_MAX + 1);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(errors, ERR_LIST_MAX), "message")),
		"and 36 more");
	api_result_done(&r);
}

static void test_depth(void **state)
{
	struct try t = {.method = "POST", .path = "/v1/apply"};
	struct fake f = {.calls = 0};
	struct api_result r;
	char *body = malloc(API_BODY_MAX);

	assert_non_null(body);
	memset(body, '[', API_BODY_MAX - 1);
	body[API_BODY_MAX - 1] = '\0';
	t.body = body;
	ask(&f, &t, &r);
	assert_int_equal(r.status, 400);
	assert_string_equal(text_of(&r, "code"), "bad-json");
	api_result_done(&r);
	free(body);
}

static void test_service_errors(void **state)
{
	static const struct {
		int errnum;
		unsigned int status;
	} cases[] = {{EINVAL, 400}, {EPERM, 403},  {EACCES, 403}, {ENOENT, 404},
		     {EEXIST, 409}, {EBUSY, 409},  {ENOSPC, 500}, {EIO, 500},
		     {ENOMEM, 500}, {ENODEV, 500}, {EMFILE, 500}};
	const struct try t = {.method = "GET", .path = "/v1/networks/x", .body = ""};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake f = {.fail = cases[i].errnum};
		struct api_result r;

		ask(&f, &t, &r);
		assert_int_equal(r.status, cases[i].status);
		assert_string_equal(text_of(&r, "message"), strerror(cases[i].errnum));
		api_result_done(&r);

		f.fail_words = true;
		ask(&f, &t, &r);
		assert_int_equal(r.status, cases[i].status);
		assert_string_equal(text_of(&r, "code"), "first");
		assert_string_equal(text_of(&r, "where"), "lab.yaml:4:11");
		assert_int_equal(json_array_size(json_object_get(r.body, "errors")), 2);
		/* a message cut inside a character is still sent, as valid JSON */
		assert_string_equal(
			json_string_value(json_object_get(
				json_array_get(json_object_get(r.body, "errors"), 1), "message")),
			"cut ?");
		api_result_done(&r);
	}
}

/* Fills in the capital letters that docs/API.md has for names, and cuts "[?force=1]". */
static void example_path(const char *from, char *to, size_t size)
{
	size_t len = 0;

	for (; *from && *from != '[' && len + 1 < size; from++)
		to[len++] = (char)(*from >= 'A' && *from <= 'Z' ? 'x' : *from);
	to[len] = '\0';
}

static void test_docs(void **state)
{
	FILE *doc = fopen(SOURCE_DIR "/docs/API.md", "re");
	char line[1024], method[16], path[256], example[256];
	size_t n = 0;

	assert_non_null(doc);
	while (fgets(line, sizeof(line), doc)) {
		struct fake f = {.n_fds = 0};
		struct api_result r;
		struct try t = {.method = method, .path = example, .body = "?"};

		if (sscanf(line, "| `%15s %255[^`]`", method, path) != 2)
			continue;
		example_path(path, example, sizeof(example));
		ask(&f, &t, &r);
		/* no such body, but such a route */
		if (r.status == 404 || r.status == 405)
			fail_msg("docs/API.md has %s %s: status %u", method, path, r.status);
		api_result_done(&r);
		n++;
	}
	fclose(doc);
	assert_int_equal(n, (sizeof(struct service) - sizeof(void *)) / sizeof(void (*)(void)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tries),	cmocka_unit_test(test_allow),
		cmocka_unit_test(test_suggest), cmocka_unit_test(test_many_mistakes),
		cmocka_unit_test(test_depth),	cmocka_unit_test(test_service_errors),
		cmocka_unit_test(test_docs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
