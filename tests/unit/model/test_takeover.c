/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_takeover.c - the snapshot on the disk, the order of the steps, and who may be taken. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "base/err.h"
#include "model/takeover.h"

static void add(struct takeover_snapshot *s, enum item_kind kind, uint8_t family, bool gateway,
		const char *bytes)
{
	struct takeover_item item = {
		.kind = kind,
		.family = family,
		.gateway = gateway,
		.len = (uint16_t)strlen(bytes),
		.bytes = (uint8_t *)(uintptr_t)bytes,
	};

	assert_int_equal(takeover_snapshot_add(s, &item), 0);
}

/* In an order in which no step may be done: the plan has to sort them. */
static struct takeover_snapshot sample(void)
{
	struct takeover_snapshot s = {.ifname = "eth0", .ifindex = 7, .taken_us = 123456789};

	add(&s, ITEM_RULE, AF_INET, false, "rule");
	add(&s, ITEM_ROUTE, AF_INET, true, "default");
	add(&s, ITEM_ROUTE, AF_INET, false, "link");
	add(&s, ITEM_ADDR, AF_INET, false, "first");
	add(&s, ITEM_ADDR, AF_INET, false, "second");
	add(&s, ITEM_ADDR, AF_INET6, false, "six-new");
	add(&s, ITEM_ADDR, AF_INET6, false, "six-old");
	return s;
}

static const char *words(const struct takeover_plan *p, char *buf, size_t size)
{
	static const char *const ops[] = {"plug", "unplug", "+", "-", "~"};
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < p->n; i++) {
		const struct takeover_item *item = p->steps[i].item;

		used += (size_t)snprintf(buf + used, size - used, "%s%s%.*s", i ? " " : "",
					 ops[p->steps[i].op], item ? item->len : 0,
					 item ? (const char *)item->bytes : "");
	}
	return buf;
}

static void test_order(void **state)
{
	struct takeover_snapshot s = sample();
	struct takeover_plan p = {0};
	char buf[512];

	assert_int_equal(takeover_plan_move(&s, false, &p), 0);
	assert_string_equal(words(&p, buf, sizeof(buf)),
			    "+first +second +six-old +six-new +link +default +rule "
			    "-rule -default -link -six-new -six-old -second -first");
	takeover_plan_done(&p);
	assert_int_equal(takeover_plan_move(&s, true, &p), 0);
	assert_string_equal(words(&p, buf, sizeof(buf)),
			    "unplug +first +second +six-old +six-new +link +default +rule "
			    "-rule -default -link -six-new -six-old -second -first");
	takeover_plan_done(&p);
	assert_int_equal(takeover_plan_plug(&p), 0);
	assert_string_equal(words(&p, buf, sizeof(buf)), "plug");
	takeover_plan_done(&p);
	assert_int_equal(takeover_plan_settle(&s, &p), 0);
	assert_string_equal(words(&p, buf, sizeof(buf)), "~six-old ~six-new");
	takeover_plan_done(&p);
	takeover_snapshot_done(&s);
}

static void test_disk(void **state)
{
	struct takeover_snapshot s = sample(), back = {0};
	struct buf b = BUF_INIT(100000);

	takeover_pack(&s, &b);
	assert_int_equal(b.error, 0);
	assert_int_equal(takeover_unpack(b.data, b.len, &back), 0);
	assert_string_equal(back.ifname, "eth0");
	assert_int_equal(back.ifindex, 7);
	assert_int_equal(back.taken_us, 123456789);
	assert_int_equal(back.n, s.n);
	assert_int_equal(back.bytes, s.bytes);
	for (size_t i = 0; i < s.n; i++) {
		assert_int_equal(back.items[i].kind, s.items[i].kind);
		assert_int_equal(back.items[i].family, s.items[i].family);
		assert_int_equal(back.items[i].gateway, s.items[i].gateway);
		assert_int_equal(back.items[i].len, s.items[i].len);
		assert_memory_equal(back.items[i].bytes, s.items[i].bytes, s.items[i].len);
	}
	takeover_snapshot_done(&back);
	/* Cut anywhere it is refused, and so is more. */
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(takeover_unpack(b.data, len, &back), -EBADMSG);
	buf_append(&b, "x", 1);
	assert_int_equal(takeover_unpack(b.data, b.len, &back), -EBADMSG);
	b.data[0] = 9; /* a version of the future */
	assert_int_equal(takeover_unpack(b.data, b.len - 1, &back), -EBADMSG);
	buf_done(&b);
	takeover_snapshot_done(&s);
}

static void test_limits(void **state)
{
	static uint8_t bytes[TAKEOVER_ITEM_MAX + 1];
	struct takeover_item item = {.family = AF_INET, .len = sizeof(bytes), .bytes = bytes};
	struct takeover_snapshot s = {0};

	assert_int_equal(takeover_snapshot_add(&s, &item), -E2BIG);
	item.len = 1;
	for (size_t i = 0; i < TAKEOVER_ITEMS_MAX; i++)
		assert_int_equal(takeover_snapshot_add(&s, &item), 0);
	assert_int_equal(takeover_snapshot_add(&s, &item), -E2BIG);
	takeover_snapshot_done(&s);
	item.len = TAKEOVER_ITEM_MAX;
	for (size_t i = 0; i < TAKEOVER_BYTES_MAX / TAKEOVER_ITEM_MAX; i++)
		assert_int_equal(takeover_snapshot_add(&s, &item), 0);
	assert_int_equal(takeover_snapshot_add(&s, &item), -E2BIG);
	takeover_snapshot_done(&s);
}

static const struct {
	struct nic_facts f;
	bool force;
	int r;
	const char *code;
	const char *words;
} refusals[] = {
	{{.exists = true, .ethernet = true}, false, 0, "", ""},
	{{.exists = true, .ethernet = true, .kind = "veth"}, false, 0, "", ""},
	{{.exists = true, .ethernet = true, .kind = "bond"}, false, 0, "", ""},
	{{.exists = false}, true, -ENODEV, "no-uplink", "ip link"},
	{{.exists = true, .loopback = true}, true, -EINVAL, "bad-uplink", "loopback"},
	{{.exists = true, .ethernet = true, .wireless = true},
	 true,
	 -EINVAL,
	 "wireless",
	 "mode: nat"},
	{{.exists = true, .ethernet = true, .kind = "tun"}, true, -EINVAL, "bad-uplink", "tap"},
	{{.exists = true, .ethernet = true, .kind = "tun", .ours = true},
	 true,
	 -EINVAL,
	 "bad-uplink",
	 "vmlane's own tap"},
	{{.exists = true, .ethernet = true, .kind = "bridge"},
	 true,
	 -EINVAL,
	 "bad-uplink",
	 "`bridge:`"},
	{{.exists = true}, true, -EINVAL, "bad-uplink", "Ethernet"},
	{{.exists = true, .ethernet = true, .bridge = "br0"},
	 true,
	 -EBUSY,
	 "in-bridge",
	 "bridge: br0"},
	{{.exists = true, .ethernet = true, .manager = "NetworkManager", .manager_where = "/run/x"},
	 true,
	 -EBUSY,
	 "managed",
	 "NetworkManager configures eth0 (/run/x)"},
	{{.exists = true, .ethernet = true, .nexthops = true},
	 true,
	 -EBUSY,
	 "nexthops",
	 "plain routes"},
	{{.exists = true, .ethernet = true, .dhcp_client = "dhclient", .dhcp_pid = 42},
	 false,
	 -EBUSY,
	 "dhcp-client",
	 "dhclient (pid 42)"},
	{{.exists = true, .ethernet = true, .dhcp_client = "dhclient", .dhcp_pid = 42},
	 true,
	 0,
	 "",
	 ""},
};

static void test_refusals(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct nic_facts f = refusals[i].f;
		struct err e = {0};

		strcpy(f.name, "eth0");
		assert_int_equal(takeover_refuse(&f, "lan", refusals[i].force, &e), refusals[i].r);
		assert_string_equal(e.code, refusals[i].code);
		if (!strstr(e.message, refusals[i].words))
			fail_msg("%zu: %s", i, e.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_disk),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
