/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/daemon/files.c: what a configuration directory can hold, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/files.h"

static char dir[] = "/tmp/vmlane-test-files-XXXXXX";

static void path_of(const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "%s/networks/%s", dir, name);
}

static void put(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	path_of(name, path, sizeof(path));
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static void drop(const char *name)
{
	char path[512];

	path_of(name, path, sizeof(path));
	assert_int_equal(unlink(path), 0);
}

static int set_up(void **state)
{
	char path[512];

	(void)state;
	assert_non_null(mkdtemp(dir));
	path_of("", path, sizeof(path));
	return files_mkdir(path, 0755, NULL);
}

static int tear_down(void **state)
{
	char path[512];

	(void)state;
	path_of("", path, sizeof(path));
	rmdir(path);
	return rmdir(dir);
}

static const char good[] = "network: %s\nipv4:\n  subnet: 10.%d.0.0/24\n";

static void put_good(const char *name, int second)
{
	char text[128], file[64];

	snprintf(text, sizeof(text), good, name, second);
	snprintf(file, sizeof(file), "%s.yaml", name);
	put(file, text);
}

static void test_good_and_bad(void **state)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	struct config_set set = {0};

	(void)state;
	assert_non_null(errs);
	put_good("a", 1);
	put("b.yaml", "network: b\nipv4:\n  subnet: 10.2.0.0/99\n");
	put_good("c", 3);
	put("notes.txt", "not ours");
	put(".hidden.yaml", "not ours either");
	assert_int_equal(files_load(dir, &set, errs), -EINVAL);
	assert_int_equal(set.n, 3);
	assert_non_null(set.files[0].network);
	assert_null(set.files[1].network);
	assert_string_equal(set.files[2].network->name, "c");
	assert_int_equal(errs->n, 1);
	assert_non_null(strstr(errs->items[0].where, "/networks/b.yaml:3:11"));
	config_set_done(&set);
	drop("a.yaml");
	drop("b.yaml");
	drop("c.yaml");
	drop("notes.txt");
	drop(".hidden.yaml");
	free(errs);
}

/* struct bad - a file that is no configuration, and a word of the error about it */
struct bad {
	const char *name;
	int (*make)(const char *path);
	const char *word;
};

static int make_loop(const char *path)
{
	return symlink(path, path);
}

static int make_dangling(const char *path)
{
	return symlink("/nonexistent/nowhere", path);
}

static int make_fifo(const char *path)
{
	return mkfifo(path, 0600);
}

static int make_dir(const char *path)
{
	return mkdir(path, 0700);
}

static int make_big(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int r = fd < 0 ? -1 : ftruncate(fd, 10 << 20);

	close(fd);
	return r;
}

static int make_empty(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -1 : close(fd);
}

static void test_not_files(void **state)
{
	static const struct bad cases[] = {
		{"x.yaml", make_loop, "loop"},	       {"x.yaml", make_dangling, "link to nothing"},
		{"x.yaml", make_fifo, "regular file"}, {"x.yaml", make_dir, "regular file"},
		{"x.yaml", make_big, "too large"},     {"x.yaml", make_empty, ""},
		{"x.yml", make_empty, "NAME.yaml"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err_list *errs = calloc(1, sizeof(*errs));
		struct config_set set = {0};
		char path[512];

		assert_non_null(errs);
		path_of(cases[i].name, path, sizeof(path));
		assert_int_equal(cases[i].make(path), 0);
		assert_int_equal(files_load(dir, &set, errs), -EINVAL);
		assert_int_equal(set.n, 1);
		assert_null(set.files[0].network);
		assert_true(errs->n >= 1);
		if (!strstr(errs->items[0].message, cases[i].word))
			fail_msg("'%s' does not say '%s'", errs->items[0].message, cases[i].word);
		config_set_done(&set);
		assert_int_equal(remove(path), 0);
		free(errs);
	}
}

static void test_write_and_read_back(void **state)
{
	struct network_config *n = NULL;
	struct config_set set = {0};
	char text[128], path[512];

	(void)state;
	snprintf(text, sizeof(text), good, "w", 9);
	assert_int_equal(network_config_parse("t", text, strlen(text), &n, NULL), 0);
	assert_int_equal(files_write(dir, n, NULL), 0);
	assert_int_equal(files_load(dir, &set, NULL), 0);
	assert_int_equal(set.n, 1);
	assert_true(network_config_equal(n, set.files[0].network));
	config_set_done(&set);
	files_path(dir, "w", path, sizeof(path));
	assert_int_equal(files_remove(path, NULL), 0);
	assert_int_equal(files_remove(path, NULL), 0);
	assert_int_equal(access(path, F_OK), -1);
	network_config_free(n);
}

static void expect_text(const char *path, const char *wanted)
{
	char *text = NULL;
	size_t len = 0;

	assert_int_equal(files_read(path, &text, &len, NULL), 0);
	assert_string_equal(text, wanted);
	assert_int_equal(len, strlen(wanted));
	free(text);
}

/* Links stay links, modes stay; where it cannot be written the old text is there as before. */
static void test_replace(void **state)
{
	char path[512], link[512], tmp[512];
	struct err e = {0};
	struct stat st;

	(void)state;
	files_path(dir, "r", path, sizeof(path));
	files_path(dir, "l", link, sizeof(link));
	snprintf(tmp, sizeof(tmp), "%s/networks/.r.yaml.tmp", dir);
	assert_int_equal(files_replace(path, "one\n", 4, NULL), 0);
	expect_text(path, "one\n");
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(files_replace(link, "two\n", 4, NULL), 0);
	expect_text(path, "two\n");
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(access(tmp, F_OK), -1);
	assert_int_equal(mkdir(tmp, 0700), 0);
	assert_true(files_replace(path, "three\n", 6, &e) < 0);
	assert_non_null(strstr(e.message, "cannot be written"));
	expect_text(path, "two\n");
	assert_int_equal(rmdir(tmp), 0);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(unlink(path), 0);
	assert_true(files_is_json(" \n{", 3));
	assert_false(files_is_json("network: {}", 11) || files_is_json("  ", 2));
}

/* A file that is to be deleted comes back as it was, or is gone; nobody reads it meanwhile. */
static void test_set_aside(void **state)
{
	struct config_set set = {0};
	char text[128], path[512];

	(void)state;
	snprintf(text, sizeof(text), good, "w", 9);
	put("w.yaml", text);
	files_path(dir, "w", path, sizeof(path));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(files_set_aside(path, NULL), 0);
		assert_int_equal(files_load(dir, &set, NULL), 0);
		assert_int_equal(set.n, 0);
		config_set_done(&set);
		files_put_back(path);
		assert_int_equal(access(path, F_OK), 0);
	}
	assert_int_equal(files_set_aside(path, NULL), 0);
	/* A daemon was killed here; later there is no file to be put back. */
	assert_int_equal(files_set_aside(path, NULL), 0);
	files_put_back(path);
	assert_int_equal(access(path, F_OK), -1);
	put("w.yaml", text);
	assert_int_equal(files_set_aside(path, NULL), 0);
	files_drop_aside(path);
	files_put_back(path);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_no_directory(void **state)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	struct config_set set = {0};

	(void)state;
	assert_non_null(errs);
	assert_int_equal(files_load("/nonexistent/vmlane", &set, errs), -ENOENT);
	assert_int_equal(set.n, 0);
	assert_int_equal(errs->n, 1);
	free(errs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_and_bad),	    cmocka_unit_test(test_not_files),
		cmocka_unit_test(test_write_and_read_back), cmocka_unit_test(test_replace),
		cmocka_unit_test(test_set_aside),	    cmocka_unit_test(test_no_directory),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
