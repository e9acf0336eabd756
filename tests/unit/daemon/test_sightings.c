/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is remembered of stations' addresses, and for how long: sightings.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "daemon/sightings.h"

#define SECOND 1000000ULL
#define BRIDGE 3

/* struct view - what sightings_each() gave; @last of the address that was asked for. */
struct view {
	uint32_t address;
	size_t n;
	size_t found;
	struct seen_address last;
};

static struct sighting says(uint32_t mac, uint32_t address)
{
	struct sighting s = {.kind = SIGHTING_ARP, .family = AF_INET, .mac = {{2}}};

	address = htonl(address);
	mac = htonl(mac);
	memcpy(s.mac.b + 2, &mac, sizeof(mac));
	memcpy(s.addr, &address, sizeof(address));
	return s;
}

static struct sightings_news add(struct sightings *t, int port, const struct sighting *s,
				 uint64_t now)
{
	const struct sighting_place at = {.bridge = BRIDGE, .port = port};
	struct sightings_news news;

	assert_int_equal(sightings_add(t, &at, s, now, &news), 0);
	return news;
}

static void on_address(const struct seen_address *a, void *ctx)
{
	struct view *v = ctx;
	uint32_t address;

	memcpy(&address, a->addr, sizeof(address));
	v->n++;
	if (address != htonl(v->address))
		return;
	v->found++;
	v->last = *a;
}

static struct view look(struct sightings *t, uint32_t address, uint64_t now)
{
	struct view v = {.address = address};

	sightings_each(t, now, on_address, &v);
	assert_int_equal(v.n, sightings_count(t));
	return v;
}

static void test_age(void **state)
{
	struct sightings *t = sightings_new();
	struct sighting s = says(1, 100);
	struct view v;

	(void)state;
	assert_true(add(t, 7, &s, SECOND).address);
	assert_false(add(t, 7, &s, 2 * SECOND).address);
	v = look(t, 100, 5 * SECOND);
	assert_int_equal(v.found, 1);
	assert_int_equal(v.last.age_us, 3 * SECOND);
	assert_int_equal(v.last.at.port, 7);
	assert_int_equal(v.last.at.bridge, BRIDGE);
	assert_false(v.last.stale);
	assert_true(look(t, 100, 2 * SECOND + SIGHTINGS_FRESH_US + 1).last.stale);
	assert_int_equal(look(t, 100, 3 * SECOND + SIGHTINGS_FORGET_US).n, 0);
	assert_true(add(t, 7, &s, 4 * SECOND + SIGHTINGS_FORGET_US).address);
	sightings_free(t);
}

static void test_what_goes(void **state)
{
	struct sightings *t = sightings_new();
	struct sighting s = says(1, 100), other = says(2, 200);

	(void)state;
	add(t, 7, &s, 1);
	add(t, 8, &other, 1);
	assert_int_equal(sightings_port_bridge(t, 7), BRIDGE);
	assert_int_equal(sightings_port_bridge(t, 9), 0);
	sightings_port_gone(t, 7);
	assert_int_equal(look(t, 200, 2).found, 1);
	assert_int_equal(sightings_count(t), 1);
	sightings_port_gone(t, 9);
	sightings_port_gone(t, 8);
	assert_int_equal(sightings_count(t), 0);
	add(t, 7, &s, 3);
	add(t, 0, &other, 3);
	sightings_bridge_gone(t, BRIDGE + 1);
	assert_int_equal(sightings_count(t), 2);
	sightings_bridge_gone(t, BRIDGE);
	assert_int_equal(sightings_count(t), 0);
	sightings_free(t);
}

static void test_dhcp(void **state)
{
	struct sightings *t = sightings_new();
	struct sighting asked = says(1, 100), used = says(1, 101);
	struct sighting no = {.kind = SIGHTING_DHCP, .family = AF_INET, .gone = true};

	(void)state;
	no.mac = asked.mac;
	add(t, 0, &no, 1);
	asked.kind = SIGHTING_DHCP;
	add(t, 7, &asked, 1);
	add(t, 7, &used, 1);
	add(t, 0, &no, 2);
	assert_int_equal(look(t, 100, 2).found, 0);
	assert_int_equal(look(t, 101, 2).found, 1);
	/* Once it was used, asking for it again does not make it less known. */
	used.kind = SIGHTING_DHCP;
	add(t, 7, &used, 3);
	assert_int_equal(look(t, 101, 3).last.kind, SIGHTING_ARP);
	add(t, 7, &asked, 4);
	asked.kind = SIGHTING_ARP;
	add(t, 7, &asked, 5);
	add(t, 0, &no, 6);
	assert_int_equal(sightings_count(t), 2);
	sightings_free(t);
}

static void test_duplicate_address(void **state)
{
	struct sightings *t = sightings_new();
	struct sighting one = says(1, 100), two = says(2, 100), beside = says(3, 100);
	struct sighting_place elsewhere = {.bridge = BRIDGE, .port = 9, .vlan = 20};
	struct sightings_news news;

	(void)state;
	add(t, 7, &one, SECOND);
	/* Another NIC of the same guest; another VLAN; a port that is not known. */
	assert_false(add(t, 7, &beside, SECOND).duplicate_address);
	assert_int_equal(sightings_add(t, &elsewhere, &two, SECOND, &news), 0);
	assert_false(news.duplicate_address);
	assert_false(add(t, 0, &two, SECOND).duplicate_address);
	news = add(t, 8, &two, 2 * SECOND);
	assert_true(news.duplicate_address);
	assert_int_equal(news.other_port, 7);
	assert_true(look(t, 100, 3 * SECOND).last.at.port > 0);
	/* It is no news for a while. */
	assert_false(add(t, 7, &one, 3 * SECOND).duplicate_address);
	assert_true(add(t, 7, &one, 3 * SECOND + SIGHTINGS_TELL_US).duplicate_address);
	/* It is over when one of them has been silent for long. */
	assert_false(add(t, 8, &two, 3 * SECOND + 2 * SIGHTINGS_FRESH_US).duplicate_address);
	sightings_port_gone(t, 7);
	assert_false(look(t, 100, 4 * SECOND + 2 * SIGHTINGS_FRESH_US).last.duplicate);
	sightings_free(t);
}

static void test_duplicate_mac(void **state)
{
	struct sightings *t = sightings_new();
	struct sighting one = says(1, 100), two = says(1, 200);
	struct sightings_news news;

	(void)state;
	add(t, 7, &one, SECOND);
	assert_false(add(t, 8, &two, 2 * SECOND).duplicate_mac); /* it moved */
	assert_int_equal(look(t, 100, 2 * SECOND).last.at.port, 8);
	assert_int_equal(look(t, 100, 2 * SECOND).last.twin_port, 0);
	news = add(t, 7, &one, 3 * SECOND);
	assert_true(news.duplicate_mac);
	assert_int_equal(news.other_port, 8);
	assert_int_equal(look(t, 200, 3 * SECOND).last.twin_port, 8);
	assert_false(add(t, 8, &two, 4 * SECOND).duplicate_mac); /* no news */
	assert_int_equal(look(t, 200, 4 * SECOND + SIGHTINGS_FRESH_US + 1).last.twin_port, 0);
	/* There and back in an hour is two moves. */
	assert_false(add(t, 7, &one, 3600 * SECOND).duplicate_mac);
	assert_false(add(t, 7, &one, 3601 * SECOND).duplicate_mac);
	/* Its port not being known does not move it. */
	add(t, 0, &one, 3602 * SECOND);
	assert_int_equal(look(t, 100, 3602 * SECOND).last.at.port, 7);
	sightings_free(t);
}

/* However much is said: a station, a port, and all of it have room for so much. */
static void test_floods(void **state)
{
	struct sightings *t = sightings_new();
	struct sighting kept = says(1, 1);
	uint64_t now = SECOND;

	(void)state;
	add(t, 5, &kept, now);
	for (uint32_t i = 0; i < 1000; i++) {
		struct sighting s = says(2, 1000 + i);

		add(t, 6, &s, now++);
	}
	assert_int_equal(sightings_count(t), 1 + SIGHTINGS_STATION_ADDRS);
	assert_int_equal(look(t, 1999, now).found, 1); /* the latest are kept */
	assert_int_equal(sightings_evicted(t), 1000 - SIGHTINGS_STATION_ADDRS);
	for (uint32_t i = 0; i < 100000; i++) {
		struct sighting s = says(1000 + i, 1000 + i);

		add(t, 6, &s, now++);
	}
	assert_int_equal(sightings_count(t), 1 + SIGHTINGS_PORT_STATIONS);
	assert_int_equal(look(t, 1, now).found, 1);
	/* One address said by all of them, from many ports, and back. */
	for (uint32_t i = 0; i < 3000; i++) {
		struct sighting s = says(1000 + i % 300, 7);

		add(t, 6 + (int)(i % 7), &s, now++);
	}
	assert_true(sightings_count(t) <= 2000);
	for (uint32_t i = 0; i < 200000; i++) {
		struct sighting s = says(200000 + i, i);

		add(t, 100 + (int)(i % 400), &s, now++);
	}
	assert_true(sightings_count(t) <= SIGHTINGS_STATIONS + 1);
	for (uint32_t i = 0; i < 400000; i++) {
		struct sighting s = says(500000 + i / 16, i);

		add(t, 100 + (int)(i / 16 % 400), &s, now++);
	}
	assert_true(sightings_count(t) <= SIGHTINGS_ADDRS);
	assert_true(sightings_count(t) > SIGHTINGS_ADDRS / 2);
	sightings_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_age),	      cmocka_unit_test(test_what_goes),
		cmocka_unit_test(test_dhcp),	      cmocka_unit_test(test_duplicate_address),
		cmocka_unit_test(test_duplicate_mac), cmocka_unit_test(test_floods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
