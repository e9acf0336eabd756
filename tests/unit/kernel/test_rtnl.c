/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/kernel/rtnl*.c against the kernel, in a namespace of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../netns.h"
#include "kernel/rtnl_internal.h"
#include "kernel/sysctl.h"

static struct rtnl *rtnl;
static const struct mac mac_a = {{0x52, 0x54, 0, 0, 0, 0x0a}};

#define ok(call)                                                                                   \
	do {                                                                                       \
		struct err e_ = {0};                                                               \
		struct err *e = &e_;                                                               \
		int r_ = (call);                                                                   \
                                                                                                   \
		if (r_ != 0)                                                                       \
			fail_msg("%s: %d %s: %s", #call, r_, e_.where, e_.message);                \
	} while (0)

static void run(const char *command)
{
	int status = system(command);

	if (status != 0)
		fail_msg("%s: exit status %d", command, status);
}

static struct link_state get(const char *name)
{
	struct link_state l = {0};

	ok(rtnl_link_get(rtnl, name, 0, &l, e));
	return l;
}

static struct ip4_prefix prefix(const char *text)
{
	struct ip4_prefix p = {0};

	assert_int_equal(ip4_prefix_parse(text, &p), 0);
	return p;
}

static void test_bridge(void **state)
{
	uint64_t before = kernel_write_count();
	struct link_state l, by_index;

	(void)state;
	ok(rtnl_bridge_create(rtnl, "vl-br", &mac_a, "vmlane:network=br", e));
	assert_int_equal(kernel_write_count() - before, 2);
	l = get("vl-br");
	assert_string_equal(l.kind, "bridge");
	assert_string_equal(l.alias, "vmlane:network=br");
	assert_true(mac_equal(&l.mac, &mac_a));
	assert_false(l.up);
	assert_false(l.stp);
	assert_int_equal(l.forward_delay, 0);
	assert_int_equal(l.mtu, 1500);
	ok(rtnl_link_get(rtnl, NULL, l.ifindex, &by_index, e));
	assert_string_equal(by_index.name, "vl-br");
	ok(rtnl_link_set_up(rtnl, "vl-br", true, e));
	assert_true(get("vl-br").up);
	ok(rtnl_link_set_up(rtnl, "vl-br", false, e));
	assert_false(get("vl-br").up);
	ok(rtnl_link_delete(rtnl, "vl-br", e));
	assert_int_equal(rtnl_link_get(rtnl, "vl-br", 0, &l, NULL), -ENODEV);
	assert_int_equal(rtnl_link_get(rtnl, NULL, 4711, &l, NULL), -ENODEV);
}

static void test_link_attributes(void **state)
{
	const struct mac mac = {{0x52, 0x54, 0, 0, 0, 0x0b}};
	struct link_state l;

	(void)state;
	run("ip link add vl-br type bridge stp_state 1 forward_delay 1500");
	assert_true(get("vl-br").stp);
	assert_int_equal(get("vl-br").forward_delay, 1500);
	ok(rtnl_bridge_set_stp(rtnl, "vl-br", false, 0, e));
	ok(rtnl_link_set_mac(rtnl, "vl-br", &mac, e));
	ok(rtnl_link_set_mtu(rtnl, "vl-br", 1400, e));
	ok(rtnl_link_set_alias(rtnl, "vl-br", "vmlane:network=x", e));
	l = get("vl-br");
	assert_false(l.stp);
	assert_int_equal(l.forward_delay, 0);
	assert_true(mac_equal(&l.mac, &mac));
	assert_int_equal(l.mtu, 1400);
	assert_string_equal(l.alias, "vmlane:network=x");
	ok(rtnl_link_set_alias(rtnl, "vl-br", "", e));
	assert_string_equal(get("vl-br").alias, "");
	ok(rtnl_link_delete(rtnl, "vl-br", e));
}

static void test_switch(void **state)
{
	(void)state;
	ok(rtnl_bridge_create(rtnl, "vl-br", &mac_a, "vmlane:network=x", e));
	assert_int_equal(get("vl-br").ageing, 30000);
	ok(rtnl_bridge_set_ageing(rtnl, "vl-br", 60, e));
	assert_int_equal(get("vl-br").ageing, 6000);
	ok(rtnl_bridge_set_stp(rtnl, "vl-br", true, PLAN_FORWARD_DELAY, e));
	assert_true(get("vl-br").stp);
	assert_int_equal(get("vl-br").forward_delay, PLAN_FORWARD_DELAY);
	ok(rtnl_bridge_set_stp(rtnl, "vl-br", false, 0, e));
	assert_false(get("vl-br").stp);
	assert_int_equal(get("vl-br").forward_delay, 0);
	run("ip link add p7 type veth peer name q7 && ip link set p7 master vl-br");
	assert_false(get("p7").isolated);
	ok(rtnl_port_set_isolated(rtnl, "p7", true, e));
	assert_true(get("p7").isolated);
	ok(rtnl_port_set_isolated(rtnl, "p7", false, e));
	assert_false(get("p7").isolated);
	assert_true(rtnl_port_set_isolated(rtnl, "q7", true, NULL) < 0); /* in no bridge */
	run("ip link del p7");
	ok(rtnl_link_delete(rtnl, "vl-br", e));
}

static void test_existing_is_left_alone(void **state)
{
	uint64_t before;
	struct err e;

	(void)state;
	run("ip link add eth7 type veth peer name peer7 && ip link set eth7 alias theirs");
	before = kernel_write_count();
	assert_int_equal(rtnl_bridge_create(rtnl, "eth7", &mac_a, "vmlane:network=x", &e), -EEXIST);
	assert_string_equal(e.where, "eth7");
	assert_string_equal(get("eth7").alias, "theirs");
	assert_int_equal(kernel_write_count(), before);
	run("ip link del eth7");
}

static void test_refusals(void **state)
{
	char long_alias[ALIAS_MAX + 1];
	struct err e;

	(void)state;
	memset(long_alias, 'x', sizeof(long_alias));
	long_alias[ALIAS_MAX] = '\0';
	assert_int_equal(rtnl_link_delete(rtnl, "absent", &e), -ENODEV);
	assert_string_equal(e.code, "kernel");
	assert_string_equal(e.where, "absent");
	assert_non_null(strstr(e.message, "the kernel refused to delete the link: No such device"));
	assert_int_equal(rtnl_link_delete(rtnl, "sixteen-letters-", &e), -EINVAL);
	assert_int_equal(rtnl_bridge_create(rtnl, "vl-%d", &mac_a, "x", &e), -EINVAL);
	assert_int_equal(rtnl_bridge_create(rtnl, "", &mac_a, "x", &e), -EINVAL);
	assert_int_equal(rtnl_bridge_create(rtnl, "vl-x", &mac_a, long_alias, &e), -EINVAL);
	assert_int_equal(rtnl_link_enslave(rtnl, "lo", "absent", &e), -ENODEV);
	assert_string_equal(e.where, "absent");
	/* the kernel's own words, which the error number alone does not have */
	run("ip link add vl-br type bridge");
	assert_int_equal(rtnl_link_set_mtu(rtnl, "vl-br", 12, &e), -EINVAL);
	assert_non_null(strstr(e.message, "mtu less than device minimum"));
	assert_int_equal(rtnl_link_enslave(rtnl, "lo", "vl-br", &e), -EINVAL);
	assert_non_null(strstr(e.message, "the kernel refused to plug the link into its bridge"));
	/* after refusals the socket is still in step */
	assert_string_equal(get("vl-br").kind, "bridge");
	run("ip link del vl-br");
}

static void test_ports(void **state)
{
	struct link_state br, port;

	(void)state;
	run("ip link add port7 type veth peer name peer7");
	ok(rtnl_bridge_create(rtnl, "vl-br", &mac_a, "a", e));
	ok(rtnl_link_enslave(rtnl, "port7", "vl-br", e));
	br = get("vl-br");
	port = get("port7");
	assert_string_equal(port.kind, "veth");
	assert_int_equal(port.master, br.ifindex);
	assert_int_equal(port.port_state, PORT_DISABLED);
	assert_false(port.carrier);
	run("ip link set peer7 up && ip link set port7 up && ip link set vl-br up");
	port = get("port7");
	assert_true(port.carrier);
	assert_int_equal(port.port_state, PORT_FORWARDING); /* at once: no forward delay */
	ok(rtnl_link_enslave(rtnl, "port7", NULL, e));
	assert_int_equal(get("port7").master, 0);
	run("ip link del port7 && ip link del vl-br");
}

static const struct addr_state *find_addr(const struct actual *a, const char *text)
{
	const struct ip4_prefix p = prefix(text);

	for (size_t i = 0; i < a->n_addrs; i++)
		if (ip4_equal(a->addrs[i].prefix.addr, p.addr) && a->addrs[i].prefix.len == p.len)
			return &a->addrs[i];
	return NULL;
}

static struct link_state rates_of(const char *name)
{
	struct actual a = {0};
	struct link_state l;

	ok(rtnl_snapshot(rtnl, &a, e));
	ok(rtnl_rates(rtnl, &a, e));
	assert_non_null(actual_link_by_name(&a, name));
	l = *actual_link_by_name(&a, name);
	actual_done(&a);
	return l;
}

static void test_rates(void **state)
{
	/* The last ones do not fit 32 bits of bytes a second. */
	static const uint64_t bits[] = {64000, 10000000, 8ull * UINT32_MAX, 100000000000};

	(void)state;
	run("ip link add vl-r type veth peer name vl-s && ip link set vl-r up");
	assert_int_equal(rates_of("vl-r").rate_down, 0);
	assert_false(rates_of("vl-r").foreign_qdisc);
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		ok(rtnl_rate_set(rtnl, "vl-r", bits[i], e));
		assert_int_equal(rates_of("vl-r").rate_down, bits[i]);
		assert_int_equal(rates_of("vl-s").rate_down, 0);
	}
	ok(rtnl_rate_set(rtnl, "vl-r", 0, e));
	assert_int_equal(rates_of("vl-r").rate_down, 0);
	/* Somebody else's, with another handle, and with another kind. */
	run("tc qdisc add dev vl-r root handle 1: tbf rate 1mbit burst 10k latency 50ms");
	assert_true(rates_of("vl-r").foreign_qdisc);
	assert_int_equal(rates_of("vl-r").rate_down, 0);
	run("tc qdisc replace dev vl-r root handle 766c: htb");
	assert_true(rates_of("vl-r").foreign_qdisc);
	assert_int_equal(rtnl_rate_set(rtnl, "no-such", 64000, NULL), -ENODEV);
	ok(rtnl_link_delete(rtnl, "vl-r", e));
}

static void test_addresses(void **state)
{
	const struct ip4_prefix p = prefix("192.168.122.1/24"), p31 = prefix("10.0.0.0/31");
	struct actual a;
	struct err why;

	(void)state;
	ok(rtnl_bridge_create(rtnl, "vl-br", &mac_a, "a", e));
	ok(rtnl_addr_add(rtnl, "vl-br", &p, e));
	ok(rtnl_addr_add(rtnl, "vl-br", &p31, e));
	assert_int_equal(rtnl_addr_add(rtnl, "vl-br", &p, &why), -EEXIST);
	run("test \"$(ip -4 -o addr show dev vl-br | grep -c 'brd 192.168.122.255')\" = 1");
	run("test \"$(ip -4 -o addr show dev vl-br | grep -c brd)\" = 1");
	ok(rtnl_snapshot(rtnl, &a, e));
	assert_int_equal(a.n_addrs, 2);
	assert_non_null(find_addr(&a, "192.168.122.1/24"));
	assert_int_equal(find_addr(&a, "10.0.0.0/31")->ifindex, get("vl-br").ifindex);
	actual_done(&a);
	ok(rtnl_addr_del(rtnl, "vl-br", &p, e));
	assert_int_equal(rtnl_addr_del(rtnl, "vl-br", &p, &why), -EADDRNOTAVAIL);
	assert_int_equal(rtnl_addr_add(rtnl, "absent", &p, &why), -ENODEV);
	run("ip link del vl-br");
}

static void test_routes(void **state)
{
	char up[4][IFNAMSIZ];
	unsigned int seen = 0;
	struct actual a;

	(void)state;
	run("ip link add e1 type veth peer name p1; ip link add e2 type veth peer name p2;"
	    "for i in e1 e2 p1 p2; do ip link set $i up; done;"
	    "ip addr add 203.0.113.2/24 dev e1; ip addr add 198.51.100.2/24 dev e2;"
	    "ip route add default metric 5 nexthop via 203.0.113.1 nexthop via 198.51.100.1;"
	    "ip route add 10.9.0.0/16 via 203.0.113.9 table 77 metric 3;"
	    "ip route add blackhole 10.8.0.0/16; ip route add unreachable 10.7.0.0/16");
	ok(rtnl_snapshot(rtnl, &a, e));
	assert_int_equal(a.n_routes, 5);
	for (size_t i = 0; i < a.n_routes; i++) {
		const struct route_state *r = &a.routes[i];

		if (r->table == 77) {
			assert_int_equal(r->dst.len, 16);
			assert_int_equal(r->metric, 3);
			assert_int_equal(ip4_host(r->gateway), 0xcb007109);
			seen++;
		}
	}
	assert_int_equal(seen, 1);
	assert_int_equal(actual_uplinks(&a, up, 4), 2);
	actual_done(&a);
	run("ip link del e1; ip link del e2; ip route flush table main");
}

static void test_neighbours(void **state)
{
	struct neigh_entry *n;
	size_t count;

	(void)state;
	run("ip link add e1 type veth peer name p1; ip link set e1 up; ip link set p1 up;"
	    "ip neigh add 10.0.0.5 lladdr 52:54:00:00:00:05 dev e1;"
	    "ip neigh add 10.0.0.6 lladdr 52:54:00:00:00:06 dev p1;"
	    "ip -6 neigh add fe80::7 lladdr 52:54:00:00:00:07 dev e1");
	ok(rtnl_neigh_dump(rtnl, 0, &n, &count, e));
	assert_int_equal(count, 2);
	free(n);
	ok(rtnl_neigh_dump(rtnl, get("e1").ifindex, &n, &count, e));
	assert_int_equal(count, 1);
	assert_int_equal(n->mac.b[5], 5);
	assert_int_equal(n->state, NUD_PERMANENT);
	assert_int_equal(ip4_host(n->addr), 0x0a000005);
	free(n);
	run("ip link del e1");
}

static void test_fdb_get(int br, int port)
{
	const struct mac there = {{0x52, 0x54, 0, 0, 0, 0x11}}, nobody = {{0x52, 0x54, 0, 0, 9, 9}};
	struct fdb_entry f = {.port = -1};

	assert_int_equal(rtnl_fdb_get(rtnl, br, &nobody, 0, &f), -ENOENT);
	assert_int_equal(rtnl_fdb_get(rtnl, br, &there, 7, &f), -ENOENT);
	assert_int_equal(f.port, -1);
	assert_int_equal(rtnl_fdb_get(rtnl, br, &there, 0, &f), 0);
	assert_int_equal(f.port, port);
	assert_int_equal(f.bridge, br);
	assert_true(f.is_static && !f.local);
	assert_true(mac_equal(&f.mac, &there));
	assert_int_equal(rtnl_fdb_get(rtnl, br, &mac_a, 0, &f), 0);
	assert_true(f.local);
	assert_true(rtnl_fdb_get(rtnl, 999999, &there, 0, &f) < 0);
}

static void test_fdb(void **state)
{
	unsigned int local = 0, learned = 0, is_static = 0;
	struct fdb_entry *f;
	size_t n, all;
	int br, port;

	(void)state;
	/* Without an IPv6 address of its own peer7 says nothing that could be learned. */
	run("ip link add port7 type veth peer name peer7; ip link set port7 up;"
	    "ip link set peer7 addrgenmode none; ip link set peer7 up; ip link add other type "
	    "bridge; ip link set other up");
	ok(rtnl_bridge_create(rtnl, "vl-br", &mac_a, "a", e));
	ok(rtnl_link_enslave(rtnl, "port7", "vl-br", e));
	ok(rtnl_link_set_up(rtnl, "vl-br", true, e));
	run("bridge fdb add 52:54:00:00:00:11 dev port7 master static;"
	    "bridge fdb add 52:54:00:00:00:12 dev port7 master dynamic");
	br = get("vl-br").ifindex;
	port = get("port7").ifindex;
	ok(rtnl_fdb_dump(rtnl, br, &f, &n, e));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(f[i].bridge, br);
		assert_true(f[i].port == port || f[i].port == br);
		local += f[i].local;
		is_static += f[i].is_static;
		learned += !f[i].local && !f[i].is_static;
		assert_true(f[i].age_s < 60);
	}
	assert_int_equal(local, 2); /* the bridge's own and the port's */
	assert_int_equal(is_static, 1);
	assert_int_equal(learned, 1);
	free(f);
	ok(rtnl_fdb_dump(rtnl, 0, &f, &all, e));
	assert_true(all > n); /* and those of the other bridge */
	free(f);
	test_fdb_get(br, port);
	run("ip link del port7; ip link del vl-br; ip link del other");
}

static const struct fdb_entry *find_mac(const struct fdb_entry *f, size_t n, const struct mac *mac)
{
	for (size_t i = 0; i < n; i++)
		if (mac_equal(&f[i].mac, mac))
			return &f[i];
	return NULL;
}

/* What @mac is in the table of vl-br; false when it is not there. */
static bool look_up(const struct mac *mac, struct fdb_entry *ret)
{
	const struct fdb_entry *found;
	struct fdb_entry *f;
	size_t n;

	ok(rtnl_fdb_dump(rtnl, get("vl-br").ifindex, &f, &n, e));
	found = find_mac(f, n, mac);
	if (found)
		*ret = *found;
	free(f);
	return found != NULL;
}

static void test_pinned_macs(void **state)
{
	const struct mac mac = {{0x52, 0x54, 0, 0, 0, 0x13}};
	struct fdb_entry f = {0};

	(void)state;
	run("ip link add port7 type veth peer name peer7; ip link add port8 type veth peer name "
	    "peer8");
	ok(rtnl_bridge_create(rtnl, "vl-br", &mac_a, "a", e));
	ok(rtnl_link_enslave(rtnl, "port7", "vl-br", e));
	ok(rtnl_link_enslave(rtnl, "port8", "vl-br", e));
	assert_false(get("port7").no_learning || get("port7").no_flood);
	ok(rtnl_port_set_managed(rtnl, "port7", true, e));
	assert_true(get("port7").no_learning && get("port7").no_flood);
	assert_false(get("port8").no_learning || get("port8").no_flood);
	ok(rtnl_port_set_managed(rtnl, "port7", false, e));
	assert_false(get("port7").no_learning || get("port7").no_flood);
	/* While the port is down too, and again, and at another port. */
	ok(rtnl_fdb_pin(rtnl, "port7", &mac, e));
	ok(rtnl_fdb_pin(rtnl, "port7", &mac, e));
	assert_true(look_up(&mac, &f));
	assert_true(f.is_static && f.sticky && !f.local && f.port == get("port7").ifindex);
	ok(rtnl_fdb_pin(rtnl, "port8", &mac, e));
	assert_true(look_up(&mac, &f));
	assert_true(f.is_static && f.sticky && f.port == get("port8").ifindex);
	/* Of another port it is not ours to remove. */
	ok(rtnl_fdb_remove(rtnl, "port7", &mac, e));
	assert_true(look_up(&mac, &f));
	ok(rtnl_fdb_remove(rtnl, "port8", &mac, e));
	assert_false(look_up(&mac, &f));
	ok(rtnl_fdb_remove(rtnl, "port8", &mac, e));
	/* One that was learned before, or put there by others, becomes pinned. */
	run("bridge fdb add 52:54:00:00:00:13 dev port8 master static");
	assert_true(look_up(&mac, &f));
	assert_true(f.is_static && !f.sticky);
	ok(rtnl_fdb_pin(rtnl, "port8", &mac, e));
	assert_true(look_up(&mac, &f));
	assert_true(f.is_static && f.sticky);
	assert_int_equal(rtnl_fdb_pin(rtnl, "none", &mac, NULL), -ENODEV);
	assert_true(rtnl_fdb_pin(rtnl, "peer7", &mac, NULL) < 0); /* in no bridge */
	run("ip link del port7; ip link del port8; ip link del vl-br");
}

/* More than one buffer's worth, so that a dump takes several reads. */
static void test_large_dump(void **state)
{
	char name[IFNAMSIZ];
	struct actual a;

	(void)state;
	for (int i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "vl-%d", i);
		ok(rtnl_bridge_create(rtnl, name, &mac_a, name, e));
	}
	ok(rtnl_snapshot(rtnl, &a, e));
	assert_int_equal(a.n_links, 151); /* and lo */
	assert_string_equal(actual_link_by_name(&a, "vl-149")->alias, "vl-149");
	actual_done(&a);
	for (int i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "vl-%d", i);
		ok(rtnl_link_delete(rtnl, name, e));
	}
}

/* struct heard - what a monitor said, by kind; @last is the last link's, @port is port7's. */
struct heard {
	unsigned int n[RTNL_EVENT_COUNT];
	struct link_state last;
	struct link_state port;
};

static void on_event(const struct rtnl_event *ev, void *ctx)
{
	struct heard *h = ctx;

	h->n[ev->kind]++;
	if (ev->kind == RTNL_EVENT_LINK || ev->kind == RTNL_EVENT_LINK_DEL)
		h->last = ev->link;
	else
		return;
	if (strcmp(ev->link.name, "port7") == 0)
		h->port = ev->link;
}

/* Events of one's own requests are queued before the answer, so none has to be waited for. */
static void test_monitor(void **state)
{
	const struct ip4_prefix p = prefix("192.168.122.1/24");
	struct heard h = {0};
	struct rtnl_monitor *m;
	int fd;

	(void)state;
	assert_int_equal(rtnl_monitor_new(on_event, &h, &m, &fd), 0);
	assert_int_equal(rtnl_monitor_read(m), 0);
	assert_int_equal(h.n[RTNL_EVENT_LINK], 0);
	ok(rtnl_bridge_create(rtnl, "vl-br", &mac_a, "vmlane:network=br", e));
	assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0), 1);
	assert_int_equal(rtnl_monitor_read(m), 0);
	assert_true(h.n[RTNL_EVENT_LINK] >= 1);
	assert_string_equal(h.last.name, "vl-br");
	ok(rtnl_link_set_up(rtnl, "vl-br", true, e));
	assert_int_equal(rtnl_monitor_read(m), 0);
	assert_true(h.last.up);
	assert_string_equal(h.last.alias, "vmlane:network=br");
	ok(rtnl_addr_add(rtnl, "vl-br", &p, e));
	assert_int_equal(rtnl_monitor_read(m), 0);
	assert_int_equal(h.n[RTNL_EVENT_ADDR], 1);
	assert_int_equal(h.n[RTNL_EVENT_ROUTE], 1); /* the subnet's; the local table is not told */
	run("ip link add port7 type veth peer name peer7; ip link set port7 master vl-br");
	assert_int_equal(rtnl_monitor_read(m), 0);
	assert_int_equal(h.port.master, get("vl-br").ifindex);
	h.n[RTNL_EVENT_PORT] = 0;
	run("bridge link set dev port7 isolated on");
	assert_int_equal(rtnl_monitor_read(m), 0);
	assert_true(h.n[RTNL_EVENT_PORT] >= 1);
	h.n[RTNL_EVENT_TC] = 0;
	run("tc qdisc add dev port7 root handle 7: pfifo");
	assert_int_equal(rtnl_monitor_read(m), 0);
	assert_true(h.n[RTNL_EVENT_TC] >= 1);
	h.n[RTNL_EVENT_CONF] = 0;
	ok(sysctl_write("net/ipv4/conf/vl-br/forwarding", "1", e));
	assert_int_equal(rtnl_monitor_read(m), 0);
	assert_int_equal(h.n[RTNL_EVENT_CONF], 1);
	/* leaving the bridge is no deletion of the link */
	ok(rtnl_link_enslave(rtnl, "port7", NULL, e));
	assert_int_equal(rtnl_monitor_read(m), 0);
	assert_int_equal(h.n[RTNL_EVENT_LINK_DEL], 0);
	assert_int_equal(h.port.master, 0);
	ok(rtnl_link_delete(rtnl, "vl-br", e));
	assert_int_equal(rtnl_monitor_read(m), 0);
	assert_int_equal(h.n[RTNL_EVENT_LINK_DEL], 1);
	assert_string_equal(h.last.name, "vl-br");
	assert_int_equal(h.n[RTNL_EVENT_ADDR], 2);
	rtnl_monitor_free(m);
	run("ip link del port7");
}

/* Lost events are said, and those after them are heard again. */
static void test_monitor_overrun(void **state)
{
	struct heard h = {0};
	struct rtnl_monitor *m;
	int fd, size = 4096;

	(void)state;
	ok(rtnl_bridge_create(rtnl, "vl-br", &mac_a, "a", e));
	assert_int_equal(rtnl_monitor_new(on_event, &h, &m, &fd), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	for (int i = 0; i < 100; i++)
		ok(rtnl_link_set_mtu(rtnl, "vl-br", 1300 + (uint32_t)i, e));
	assert_int_equal(rtnl_monitor_read(m), 0);
	assert_true(h.n[RTNL_EVENT_RESYNC] >= 1);
	assert_true(h.n[RTNL_EVENT_LINK] < 100);
	ok(rtnl_link_set_mtu(rtnl, "vl-br", 1500, e));
	assert_int_equal(rtnl_monitor_read(m), 0);
	assert_int_equal(h.last.mtu, 1500);
	rtnl_monitor_free(m);
	ok(rtnl_link_delete(rtnl, "vl-br", e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_link_attributes),
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_existing_is_left_alone),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_fdb),
		cmocka_unit_test(test_pinned_macs),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_large_dump),
		cmocka_unit_test(test_monitor),
		cmocka_unit_test(test_monitor_overrun),
	};
	int failed;

	netns_enter();
	if (rtnl_new(&rtnl) < 0)
		netns_skip("no rtnetlink socket");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rtnl_free(rtnl);
	return failed;
}
