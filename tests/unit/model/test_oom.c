/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes each allocation of src/model fail in turn (the linker's --wrap): the answer is -ENOMEM, the
 * outputs are untouched, and nothing leaks (the sanitizer build sees to that).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/config.h"
#include "model/plan.h"

/* How many allocations succeed yet; negative: all. */
static long allowed = -1;

static bool fails(void)
{
	if (allowed > 0)
		allowed--;
	else if (allowed == 0)
		return true;
	return false;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

static const char text[] = "network: a\n"
			   "access: [\"user:u\"]\n"
			   "ipv4: {subnet: 10.0.0.0/24}\n"
			   "guests:\n"
			   "  v: {mac: 52:54:00:00:00:01, ipv4: 10.0.0.8}\n"
			   "  w: {mac: 52:54:00:00:00:02, ipv4: 10.0.0.9, "
			   "forward: [tcp 80 -> 80, udp 5-9 -> 5]}\n";

static void test_parse(void **state)
{
	struct network_config mark, *n = &mark;
	int r = -ENOMEM;
	long i = 0;

	(void)state;
	for (; r == -ENOMEM; i++) {
		assert_ptr_equal(n, &mark);
		allowed = i;
		r = network_config_parse("f.yaml", text, sizeof(text) - 1, &n, NULL);
		allowed = -1;
	}
	assert_int_equal(r, 0);
	assert_true(i > 20);
	assert_int_equal(n->n_guests, 2);
	network_config_free(n);
}

static void test_validate(void **state)
{
	struct config_file file = {(char *)"a.yaml", NULL};
	struct config_set set = {&file, 1};
	int r = -ENOMEM;
	long i = 0;

	(void)state;
	assert_int_equal(
		network_config_parse("a.yaml", text, sizeof(text) - 1, &file.network, NULL), 0);
	for (; r == -ENOMEM; i++) {
		allowed = i;
		r = config_set_validate(&set, NULL, 0, NULL);
		allowed = -1;
	}
	assert_int_equal(r, 0);
	assert_true(i > 2);
	network_config_free(file.network);
}

static void test_plan(void **state)
{
	struct network_config c[3] = {0};
	struct desired_network networks[3] = {{&c[0]}, {&c[1]}, {&c[2]}};
	struct desired_tap tap = {.name = "vl-w", .guest = "w", .bridge = "b1", .persistent = true};
	struct desired d = {.networks = networks, .n_networks = 3, .taps = &tap, .n_taps = 1};
	struct plan p = {NULL, 77};
	struct actual a = {0};
	int r = -ENOMEM;
	long i = 0;

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		snprintf(c[k].name, sizeof(c[k].name), "n%zu", k);
		snprintf(c[k].bridge, sizeof(c[k].bridge), "b%zu", k);
		networks[k].mtu = 1400;
		c[k].subnet.len = 24;
	}
	for (; r == -ENOMEM; i++) {
		assert_int_equal(p.n, 77);
		allowed = i;
		r = plan_diff(&d, &a, &p, NULL);
		allowed = -1;
	}
	assert_int_equal(r, 0);
	assert_true(i > 5);
	assert_int_equal(p.n, 16);
	plan_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_validate),
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
