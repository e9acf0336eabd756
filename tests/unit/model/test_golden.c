/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Golden tests of the configuration reader: for each tests/golden/config/NAME.yaml, NAME.expect
 * has the mistakes line by line, or the canonical YAML when there are none. VMLANE_GOLDEN_UPDATE=1
 * writes the .expect files instead; read the difference before you commit it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "model/config.h"

static char *read_file(const char *path, size_t *ret_len)
{
	char *text = malloc(CONFIG_FILE_MAX + 1);
	FILE *f = fopen(path, "re");

	assert_non_null(text);
	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	*ret_len = fread(text, 1, CONFIG_FILE_MAX, f);
	text[*ret_len] = '\0';
	fclose(f);
	return text;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* Emit @n, and see that the text means the same and is canonical. */
static void emit(const struct network_config *n, struct buf *out)
{
	struct buf again = BUF_INIT(CONFIG_FILE_MAX);
	struct network_config *copy = NULL;

	network_config_emit(n, out);
	assert_int_equal(out->error, 0);
	assert_int_equal(network_config_parse("again", buf_str(out), out->len, &copy, NULL), 0);
	assert_true(network_config_equal(n, copy));
	network_config_emit(copy, &again);
	assert_string_equal(buf_str(out), buf_str(&again));
	buf_done(&again);
	network_config_free(copy);
}

static void parse(const char *path, struct buf *out)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	struct network_config *n = NULL;
	char line[1024];
	size_t len;
	char *text = read_file(path, &len);
	int r = network_config_parse(strrchr(path, '/') + 1, text, len, &n, errs);

	if (r == 0) {
		assert_int_equal(errs->n, 0);
		emit(n, out);
	} else {
		assert_int_equal(r, -EINVAL);
		assert_null(n);
		assert_true(errs->n > 0);
	}
	for (size_t i = 0; i < errs->n; i++)
		buf_printf(out, "%s\n", err_format(&errs->items[i], line, sizeof(line)));
	network_config_free(n);
	free(text);
	free(errs);
}

static bool check_case(const char *path)
{
	struct buf out = BUF_INIT(CONFIG_FILE_MAX);
	char expect[4096];
	size_t len;
	char *want;
	bool same;

	parse(path, &out);
	snprintf(expect, sizeof(expect), "%.*s.expect", (int)(strlen(path) - strlen(".yaml")),
		 path);
	if (getenv("VMLANE_GOLDEN_UPDATE"))
		write_file(expect, buf_str(&out));
	want = read_file(expect, &len);
	same = strcmp(want, buf_str(&out)) == 0;
	if (!same)
		print_error("%s:\n--- expected\n%s--- got\n%s", path, want, buf_str(&out));
	free(want);
	buf_done(&out);
	return same;
}

static void test_golden(void **state)
{
	size_t wrong = 0;
	glob_t g;

	(void)state;
	assert_int_equal(glob(GOLDEN_DIR "/*.yaml", 0, NULL, &g), 0);
	assert_true(g.gl_pathc >= 80);
	for (size_t i = 0; i < g.gl_pathc; i++)
		wrong += !check_case(g.gl_pathv[i]);
	globfree(&g);
	assert_int_equal(wrong, 0);
}

/* Each .expect has its .yaml: none is left over that nobody compares. */
static void test_no_orphans(void **state)
{
	char yaml[4096];
	glob_t g;

	(void)state;
	assert_int_equal(glob(GOLDEN_DIR "/*.expect", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		const char *path = g.gl_pathv[i];

		snprintf(yaml, sizeof(yaml), "%.*s.yaml", (int)(strlen(path) - strlen(".expect")),
			 path);
		assert_int_equal(access(yaml, R_OK), 0);
	}
	globfree(&g);
}

/* The examples of the documentation are right, and go together. */
static void test_examples(void **state)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	struct config_set set = {0};
	glob_t g;

	(void)state;
	assert_int_equal(glob(EXAMPLES_DIR "/*.yaml", 0, NULL, &g), 0);
	set.files = calloc(g.gl_pathc, sizeof(*set.files));
	set.n = g.gl_pathc;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		size_t len;
		char *text = read_file(g.gl_pathv[i], &len);

		set.files[i].path = strdup(g.gl_pathv[i]);
		if (network_config_parse(g.gl_pathv[i], text, len, &set.files[i].network, errs) < 0)
			fail_msg("%s: %s", errs->items[0].where, errs->items[0].message);
		free(text);
	}
	if (config_set_validate(&set, NULL, 0, errs) < 0)
		fail_msg("%s: %s", errs->items[0].where, errs->items[0].message);
	assert_true(set.n >= 3);
	config_set_done(&set);
	globfree(&g);
	free(errs);
}

/* What the manual shows as a file is one. */
static void test_manual(void **state)
{
	size_t len, found = 0;
	char *page = read_file(MANUAL, &len);
	char *block = page;

	(void)state;
	while ((block = strstr(block, "\n.Bd -literal"))) {
		struct network_config *n = NULL;
		char *end;

		block = strchr(block + 1, '\n') + 1;
		end = strstr(block, "\n.Ed");
		assert_non_null(end);
		if (network_config_parse("x", block, (size_t)(end + 1 - block), &n, NULL) < 0)
			fail_msg("not right: %.*s", (int)(end - block), block);
		network_config_free(n);
		block = end;
		found++;
	}
	assert_int_equal(found, 10);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_no_orphans),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
