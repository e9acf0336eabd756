/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/lease/table.c: leases by MAC and address, their order, sightings, full memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "lease/table.h"

#define NOW 1000000

/*
 * The linker sends the table's allocations here (see meson.build): the one after @fail_in more
 * fails; -1: none does.
 */
static long fail_in = -1;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static bool fails(void)
{
	return fail_in >= 0 && fail_in-- == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

static struct mac mac_of(uint32_t n)
{
	return (struct mac){{0x52, 0x54, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
			     (uint8_t)n}};
}

static struct in_addr addr_of(uint32_t n)
{
	return ip4_from_host(0x0a000000 + n);
}

static struct lease lease_of(uint32_t addr, uint32_t mac, enum lease_state state, int64_t expires_s)
{
	return (struct lease){
		.addr = addr_of(addr), .mac = mac_of(mac), .state = state, .expires_s = expires_s};
}

static void put(struct lease_table *t, uint32_t addr, uint32_t mac, enum lease_state state,
		int64_t expires_s)
{
	struct lease l = lease_of(addr, mac, state, expires_s);

	assert_int_equal(lease_put(t, &l), 0);
}

static struct lease_table *table_new(void)
{
	struct lease_table *t = NULL;

	assert_int_equal(lease_table_new(&t), 0);
	return t;
}

static void test_put_and_find(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();
	struct lease l = lease_of(1, 1, LEASE_BOUND, NOW);
	const struct lease *found;
	struct mac m = mac_of(1);

	(void)state;
	strcpy(l.hostname, "web1");
	memcpy(l.client_id, "\1\2", 2);
	l.client_id_len = 2;
	assert_null(lease_find_mac(t, &m));
	assert_null(lease_find_addr(t, addr_of(1)));
	assert_int_equal(lease_put(t, &l), 0);
	found = lease_find_mac(t, &m);
	assert_non_null(found);
	assert_ptr_equal(found, lease_find_addr(t, addr_of(1)));
	assert_string_equal(found->hostname, "web1");
	assert_int_equal(found->client_id_len, 2);
	assert_int_equal(lease_count(t), 1);
	lease_remove(t, addr_of(2)); /* is not there */
	assert_int_equal(lease_count(t), 1);
	lease_remove(t, addr_of(1));
	assert_int_equal(lease_count(t), 0);
	assert_null(lease_find_mac(t, &m));
	assert_null(lease_find_addr(t, addr_of(1)));
}

static void test_replace(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();
	struct mac m1 = mac_of(1), m2 = mac_of(2);

	(void)state;
	put(t, 1, 1, LEASE_BOUND, NOW);
	put(t, 1, 1, LEASE_BOUND, NOW + 5); /* the same */
	assert_int_equal(lease_count(t), 1);
	assert_int_equal(lease_find_mac(t, &m1)->expires_s, NOW + 5);
	put(t, 2, 1, LEASE_BOUND, NOW); /* the MAC moves */
	assert_int_equal(lease_count(t), 1);
	assert_null(lease_find_addr(t, addr_of(1)));
	put(t, 2, 2, LEASE_BOUND, NOW); /* the address goes to another */
	assert_int_equal(lease_count(t), 1);
	assert_null(lease_find_mac(t, &m1));
	put(t, 3, 1, LEASE_BOUND, NOW);
	assert_int_equal(lease_count(t), 2);
	put(t, 2, 1, LEASE_BOUND, NOW); /* takes over, and leaves its own: two are replaced */
	assert_int_equal(lease_count(t), 1);
	assert_null(lease_find_mac(t, &m2));
	assert_null(lease_find_addr(t, addr_of(3)));
	assert_true(ip4_equal(lease_find_mac(t, &m1)->addr, addr_of(2)));
}

/* lease_put() of what lease_find_*() answered. */
static void test_put_own(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();
	struct mac m = mac_of(1);

	(void)state;
	put(t, 1, 1, LEASE_BOUND, NOW);
	assert_int_equal(lease_put(t, lease_find_mac(t, &m)), 0);
	assert_int_equal(lease_find_addr(t, addr_of(1))->expires_s, NOW);
	assert_int_equal(lease_count(t), 1);
}

static void test_no_mac(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();
	struct lease declined = {.state = LEASE_DECLINED, .expires_s = NOW};
	struct mac m1 = mac_of(1);

	(void)state;
	put(t, 1, 1, LEASE_BOUND, NOW);
	declined.addr = addr_of(1);
	assert_int_equal(lease_put(t, &declined), 0);
	declined.addr = addr_of(2);
	assert_int_equal(lease_put(t, &declined), 0); /* many may have no MAC */
	assert_int_equal(lease_count(t), 2);
	assert_null(lease_find_mac(t, &m1));
	assert_null(lease_find_mac(t, &(struct mac){{0}}));
	put(t, 2, 1, LEASE_BOUND, NOW);
	assert_int_equal(lease_count(t), 2);
	lease_remove(t, addr_of(1));
	lease_remove(t, addr_of(2));
	assert_int_equal(lease_count(t), 0);
}

static void test_put_invalid(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();
	struct lease l = lease_of(1, 1, LEASE_BOUND, NOW);

	(void)state;
	l.addr.s_addr = 0;
	assert_int_equal(lease_put(t, &l), -EINVAL);
	l = lease_of(1, 1, LEASE_STATE_COUNT, NOW);
	assert_int_equal(lease_put(t, &l), -EINVAL);
	l = lease_of(1, 1, LEASE_BOUND, NOW);
	l.client_id_len = sizeof(l.client_id) + 1;
	assert_int_equal(lease_put(t, &l), -EINVAL);
	assert_int_equal(lease_count(t), 0);
}

static void test_full(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();
	struct lease l;

	(void)state;
	for (uint32_t i = 0; i < LEASES_MAX; i++)
		put(t, i + 1, i + 1, LEASE_BOUND, NOW + i);
	l = lease_of(LEASES_MAX + 1, LEASES_MAX + 1, LEASE_BOUND, NOW);
	assert_int_equal(lease_put(t, &l), -ENOSPC);
	put(t, 7, 7, LEASE_BOUND, NOW + 9);		 /* renewing goes on */
	put(t, LEASES_MAX + 1, 7, LEASE_BOUND, NOW + 9); /* and moving */
	put(t, 8, LEASES_MAX + 9, LEASE_BOUND, NOW + 9); /* and taking over */
	assert_int_equal(lease_count(t), LEASES_MAX);
}

static void check_order(const struct lease *l, void *ctx)
{
	uint32_t *last = ctx;

	assert_true(ip4_host(l->addr) > *last);
	*last = ip4_host(l->addr);
}

static void test_each(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();
	uint32_t last = 0;

	(void)state;
	lease_each(t, check_order, &last);
	assert_int_equal(last, 0);
	for (uint32_t i = 0; i < 1000; i++)
		put(t, 1 + i * 7919 % 1000, i, LEASE_BOUND, NOW + i % 13);
	lease_each(t, check_order, &last);
	assert_int_equal(last, ip4_host(addr_of(1000)));
}

static void test_block(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();

	(void)state;
	put(t, 64, 1, LEASE_BOUND, NOW);
	put(t, 127, 2, LEASE_RELEASED, NOW);
	put(t, 128, 3, LEASE_BOUND, NOW);
	assert_true(lease_block(t, addr_of(63)) == 0);
	assert_true(lease_block(t, addr_of(64)) == (1 | 1ull << 63));
	assert_true(lease_block(t, addr_of(100)) == (1 | 1ull << 63));
	assert_true(lease_block(t, addr_of(128)) == 1);
	put(t, 65, 1, LEASE_BOUND, NOW); /* moves */
	assert_true(lease_block(t, addr_of(64)) == (2 | 1ull << 63));
	put(t, 127, 1, LEASE_BOUND, NOW); /* moves onto another */
	assert_true(lease_block(t, addr_of(64)) == 1ull << 63);
	lease_remove(t, addr_of(127));
	assert_true(lease_block(t, addr_of(64)) == 0);
}

static void test_live(void **state)
{
	struct lease l = lease_of(1, 1, LEASE_BOUND, NOW);

	(void)state;
	assert_true(lease_live(&l, NOW - 1));
	assert_false(lease_live(&l, NOW));
	l.state = LEASE_DECLINED;
	assert_true(lease_live(&l, NOW - 1));
	l.state = LEASE_RELEASED;
	assert_false(lease_live(&l, NOW - 1));
}

static bool not_this(const struct lease *l, const void *ctx)
{
	const struct in_addr *addr = ctx;

	return !ip4_equal(l->addr, *addr);
}

static uint32_t lapsed(const struct lease_table *t, int64_t now_s, uint32_t but)
{
	struct in_addr addr = addr_of(but);
	const struct lease *l = lease_find_lapsed(t, now_s, not_this, &addr);

	return l ? ip4_host(l->addr) - ip4_host(addr_of(0)) : 0;
}

static void test_lapsed(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();

	(void)state;
	assert_int_equal(lapsed(t, NOW, 0), 0);
	put(t, 1, 1, LEASE_BOUND, NOW + 10);
	put(t, 2, 2, LEASE_BOUND, NOW - 10);
	put(t, 3, 3, LEASE_OFFERED, NOW - 30);
	put(t, 4, 4, LEASE_DECLINED, NOW);
	put(t, 5, 5, LEASE_BOUND, NOW - 20);
	assert_int_equal(lapsed(t, NOW, 0), 3);
	assert_int_equal(lapsed(t, NOW, 3), 5);
	put(t, 6, 6, LEASE_RELEASED, NOW - 1); /* given back goes before expired */
	put(t, 7, 7, LEASE_RELEASED, NOW - 2);
	assert_int_equal(lapsed(t, NOW, 0), 7);
	assert_int_equal(lapsed(t, NOW, 7), 6);
	put(t, 7, 7, LEASE_BOUND, NOW + 10); /* and is not any more */
	put(t, 6, 6, LEASE_BOUND, NOW + 10);
	put(t, 3, 3, LEASE_BOUND, NOW + 10);
	put(t, 5, 5, LEASE_BOUND, NOW + 10);
	assert_int_equal(lapsed(t, NOW, 0), 2);
	assert_int_equal(lapsed(t, NOW, 2), 4);
	lease_remove(t, addr_of(2));
	lease_remove(t, addr_of(4));
	assert_int_equal(lapsed(t, NOW, 0), 0);
	assert_int_equal(lapsed(t, NOW + 10, 0) != 0, 1);
}

/* struct lowest - the answer that lease_find_lapsed() has to give, found the slow way. */
struct lowest {
	int64_t now_s;
	int64_t expires_s;
	bool found;
};

static void keep_lowest(const struct lease *l, void *ctx)
{
	struct lowest *low = ctx;

	if (l->expires_s > low->now_s || (low->found && l->expires_s >= low->expires_s))
		return;
	low->found = true;
	low->expires_s = l->expires_s;
}

/* The heap through thousands of puts and removals, against the slow way. */
static void test_lapsed_random(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint32_t r = (uint32_t)(seed = hash_mix(seed + (uint64_t)i));
		struct in_addr none = {0};
		const struct lease *l;
		struct lowest low = {.now_s = NOW};

		if (r % 5 == 0)
			lease_remove(t, addr_of(1 + (r >> 8) % 64));
		else
			put(t, 1 + (r >> 8) % 64, 1 + (r >> 16) % 64, LEASE_BOUND,
			    NOW - 500 + (r >> 20) % 1000);
		if (i % 16)
			continue;
		lease_each(t, keep_lowest, &low);
		l = lease_find_lapsed(t, NOW, not_this, &none);
		assert_int_equal(l != NULL, low.found);
		if (l)
			assert_int_equal(l->expires_s, low.expires_s);
	}
}

static void test_seen(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();
	struct mac a = mac_of(1), b = mac_of(2), c = mac_of(3), group = {{1}}, zero = {{0}};
	struct in_addr at;

	(void)state;
	assert_false(lease_seen_by_other(t, addr_of(1), &a, NOW));
	assert_false(lease_seen_addr(t, &a, &at));
	lease_seen(t, addr_of(1), &a, NOW);
	assert_false(lease_seen_by_other(t, addr_of(1), &a, NOW));
	assert_true(lease_seen_by_other(t, addr_of(1), &b, NOW));
	assert_true(lease_seen_by_other(t, addr_of(1), &b, NOW + 600));
	assert_false(lease_seen_by_other(t, addr_of(1), &b, NOW + 601));
	assert_true(lease_seen_by_other(t, addr_of(1), &b, NOW - 600)); /* the clock was set back */
	assert_false(lease_seen_by_other(t, addr_of(1), &b, NOW - 601));
	assert_true(lease_seen_addr(t, &a, &at));
	assert_true(ip4_equal(at, addr_of(1)));

	lease_seen(t, addr_of(1), &b, NOW + 1); /* both use it: each has another */
	lease_seen(t, addr_of(1), &b, NOW + 2);
	assert_true(lease_seen_by_other(t, addr_of(1), &a, NOW));
	assert_true(lease_seen_by_other(t, addr_of(1), &b, NOW));
	lease_seen(t, addr_of(1), &c, NOW + 3);
	lease_seen(t, addr_of(1), &a, NOW + 4);
	assert_true(lease_seen_by_other(t, addr_of(1), &a, NOW + 603));
	assert_false(lease_seen_by_other(t, addr_of(1), &a, NOW + 604));
	assert_true(lease_seen_by_other(t, addr_of(1), &c, NOW + 604));

	lease_seen(t, addr_of(2), &a, NOW); /* the last address counts */
	assert_true(lease_seen_addr(t, &a, &at));
	assert_true(ip4_equal(at, addr_of(2)));

	lease_seen(t, (struct in_addr){0}, &b, NOW); /* an ARP probe has no address */
	assert_true(lease_seen_addr(t, &b, &at));
	assert_true(ip4_equal(at, addr_of(1)));
	lease_seen(t, addr_of(3), &group, NOW);
	lease_seen(t, addr_of(3), &zero, NOW);
	assert_false(lease_seen_by_other(t, addr_of(3), &a, NOW));
}

static void test_seen_bounded(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();
	struct mac nobody = mac_of(UINT32_MAX), first = mac_of(1), second = mac_of(2);
	struct in_addr at;

	(void)state;
	for (uint32_t i = 1; i <= SIGHTINGS_MAX; i++) {
		struct mac m = mac_of(i);

		lease_seen(t, addr_of(i), &m, NOW);
	}
	lease_seen(t, addr_of(1), &first, NOW); /* now the oldest is the second */
	lease_seen(t, addr_of(SIGHTINGS_MAX + 1), &nobody, NOW);
	assert_true(lease_seen_by_other(t, addr_of(1), &nobody, NOW));
	assert_false(lease_seen_by_other(t, addr_of(2), &nobody, NOW));
	assert_true(lease_seen_by_other(t, addr_of(3), &nobody, NOW));
	assert_true(lease_seen_addr(t, &first, &at));
	assert_false(lease_seen_addr(t, &second, &at));
	assert_true(lease_seen_addr(t, &nobody, &at));
}

/* The table as @n leases were put into it, each with its own MAC. */
static void check_whole(const struct lease_table *t, uint32_t n)
{
	assert_int_equal(lease_count(t), n);
	for (uint32_t i = 1; i <= n; i++) {
		struct mac m = mac_of(i);

		assert_non_null(lease_find_mac(t, &m));
		assert_ptr_equal(lease_find_mac(t, &m), lease_find_addr(t, addr_of(i)));
		assert_true(lease_block(t, addr_of(i)) >> (i % 64) & 1);
	}
	assert_int_equal(lease_block(t, addr_of(n + 1)) >> ((n + 1) % 64) & 1, 0);
	assert_int_equal(lapsed(t, NOW, 0), n ? 1 : 0);
}

/* Each allocation of each put fails in turn, hash tables growing included: nothing has changed. */
static void test_out_of_memory(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = NULL;
	unsigned int failures = 0;

	(void)state;
	fail_in = 0;
	assert_int_equal(lease_table_new(&t), -ENOMEM);
	assert_int_equal(lease_table_new(&t), 0);
	for (uint32_t n = 0; n < 700; n++) {
		struct lease l = lease_of(n + 1, n + 1, LEASE_BOUND, NOW - 1000 + n);
		int r;

		for (long at = 0;; at++) {
			fail_in = at;
			r = lease_put(t, &l);
			if (r == 0)
				break;
			assert_int_equal(r, -ENOMEM);
			assert_null(lease_find_addr(t, addr_of(n + 1)));
			assert_int_equal(lease_count(t), n);
			failures++;
		}
		fail_in = -1;
		if (n % 50 == 0)
			check_whole(t, n + 1);
	}
	assert_true(failures >= 700);
	check_whole(t, 700);
}

/* The same where a lease takes the place of two others. */
static void test_out_of_memory_replacing(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();
	struct lease l = lease_of(2, 1, LEASE_BOUND, NOW);
	struct mac m1 = mac_of(1), m2 = mac_of(2);

	(void)state;
	put(t, 1, 1, LEASE_BOUND, NOW);
	put(t, 2, 2, LEASE_BOUND, NOW);
	fail_in = 0;
	assert_int_equal(lease_put(t, &l), -ENOMEM);
	assert_int_equal(lease_count(t), 2);
	assert_true(ip4_equal(lease_find_mac(t, &m1)->addr, addr_of(1)));
	assert_true(ip4_equal(lease_find_mac(t, &m2)->addr, addr_of(2)));
	assert_true(lease_block(t, addr_of(0)) == 6);
	assert_int_equal(lease_put(t, &l), 0);
	assert_true(lease_block(t, addr_of(0)) == 4);
	assert_int_equal(lease_count(t), 1);
}

/* A sighting that there is no memory for is lost, and nothing else. */
static void test_out_of_memory_seen(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();
	struct mac other = mac_of(UINT32_MAX);
	struct in_addr at;

	(void)state;
	for (uint32_t i = 1; i <= 200; i++) {
		struct mac m = mac_of(i);

		for (long at_alloc = 0; at_alloc < 6; at_alloc++) {
			fail_in = at_alloc;
			lease_seen(t, addr_of(i), &m, NOW);
		}
		fail_in = -1;
		lease_seen(t, addr_of(i), &m, NOW);
		assert_true(lease_seen_by_other(t, addr_of(i), &other, NOW));
		assert_true(lease_seen_addr(t, &m, &at));
	}
}

static void count_one(const struct lease *l, void *ctx)
{
	assert_true(l->addr.s_addr != 0);
	(*(size_t *)ctx)++;
}

/* lease_each() then has no order, but leaves nothing out. */
static void test_out_of_memory_each(void **state)
{
	_cleanup_(lease_table_freep) struct lease_table *t = table_new();
	size_t n = 0;

	(void)state;
	for (uint32_t i = 1; i <= 20; i++)
		put(t, i, i, LEASE_BOUND, NOW);
	fail_in = 0;
	lease_each(t, count_one, &n);
	assert_int_equal(fail_in, -1); /* it did fail */
	assert_int_equal(n, 20);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(lease_state_name(LEASE_OFFERED), "offered");
	assert_string_equal(lease_state_name(LEASE_DECLINED), "declined");
	assert_string_equal(lease_state_name(LEASE_STATE_COUNT), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_find),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_put_own),
		cmocka_unit_test(test_no_mac),
		cmocka_unit_test(test_put_invalid),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_block),
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_lapsed),
		cmocka_unit_test(test_lapsed_random),
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_seen_bounded),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_out_of_memory_replacing),
		cmocka_unit_test(test_out_of_memory_seen),
		cmocka_unit_test(test_out_of_memory_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
