/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of src/path/nftrace.c and rules_live.c against the kernel: two guests' taps on a bridge, one
 * more tap as uplink. A frame written to a tap has met all rules when write() comes back, so there
 * is nothing to wait for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netfilter.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "path/nftrace.h"
#include "path/verdicts.h"
#include "wire/frame.h"
#include "../netns.h"

#define GUEST 0x0a090002
#define OTHER 0x0a090003
#define HOST_OUT 0xc0000201
#define FAR 0xc0000202
#define MSGS_MAX 65536

static const struct mac guest_mac = {{0x52, 0x54, 0, 0, 0, 2}};
static const struct mac other_mac = {{0x52, 0x54, 0, 0, 0, 3}};
static const struct mac bridge_mac = {{0x52, 0x54, 0, 0, 0, 0xb0}};
static const struct mac uplink_mac = {{0x52, 0x54, 0, 0, 0, 0xc0}};
static const struct mac far_mac = {{0x52, 0x54, 0, 0, 0, 0xc1}};

static const char world[] =
	"set -e\n"
	"echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6\n"
	"ip link set lo up\n"
	"ip link add br0 type bridge\n"
	"ip link set br0 address 52:54:00:00:00:b0 up\n"
	"ip addr add 10.9.0.1/24 dev br0\n"
	"ip link set tapA master br0 up\n"
	"ip link set tapB master br0 up\n"
	"ip link set tapU address 52:54:00:00:00:c0 up\n"
	"ip addr add 192.0.2.1/24 dev tapU\n"
	"ip neigh add 192.0.2.2 lladdr 52:54:00:00:00:c1 dev tapU\n"
	"ip neigh add 10.9.0.2 lladdr 52:54:00:00:00:02 dev br0\n"
	"echo 1 >/proc/sys/net/ipv4/ip_forward\n"
	"[ ! -e /proc/sys/net/bridge ] || echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables\n";

static const char ruleset[] = "table inet fw {\n"
			      "	chain early {\n"
			      "		type filter hook prerouting priority raw; policy accept;\n"
			      "		udp dport 53 counter\n"
			      "	}\n"
			      "	chain deep {\n"
			      "		udp dport 666 drop\n"
			      "		udp dport 54 return\n"
			      "	}\n"
			      "	chain way {\n"
			      "		ip daddr 192.0.2.2 udp dport 53 accept\n"
			      "	}\n"
			      "	chain forward {\n"
			      "		type filter hook forward priority 1; policy drop;\n"
			      "		ct state established accept\n"
			      "		jump deep\n"
			      "		iifname br0 goto way\n"
			      "	}\n"
			      "	chain post {\n"
			      "		type nat hook postrouting priority srcnat; policy accept;\n"
			      "		oifname tapU masquerade\n"
			      "	}\n"
			      "}\n"
			      "table ip old {\n"
			      "	chain FORWARD {\n"
			      "		type filter hook forward priority filter; policy accept;\n"
			      "	}\n"
			      "}\n"
			      "table bridge b {\n"
			      "	chain f {\n"
			      "		type filter hook forward priority 0; policy accept;\n"
			      "		udp dport 666 drop\n"
			      "	}\n"
			      "}\n";

static int guest_fd, other_fd, uplink_fd;
static struct nftrace *nftrace;
static struct rules_live *live;

static struct {
	struct nftrace_msg *all[MSGS_MAX];
	size_t n;
} msgs;

static void run(const char *script)
{
	FILE *sh = popen("sh", "we");

	assert_non_null(sh);
	assert_true(fputs(script, sh) >= 0);
	assert_int_equal(pclose(sh), 0);
}

/* Whether `nft list tables` has @text. */
static bool tables_have(const char *text)
{
	FILE *sh = popen("nft list tables", "re");
	char out[1024];
	size_t n;

	assert_non_null(sh);
	n = fread(out, 1, sizeof(out) - 1, sh);
	out[n] = '\0';
	assert_int_equal(pclose(sh), 0);
	return strstr(out, text);
}

static int tap(const char *name)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq ifr;

	if (fd < 0)
		netns_skip("no /dev/net/tun");
	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
	strcpy(ifr.ifr_name, name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	return fd;
}

static void send_udp(int fd, const struct udp_send *s)
{
	uint8_t frame[256];
	int len = udp_frame_build(s, frame, sizeof(frame));

	assert_true(len > 0);
	assert_int_equal(write(fd, frame, (size_t)len), len);
}

/* From the guest to the world, by way of the bridge. */
static void guest_sends_ttl(uint16_t dport, uint8_t ttl)
{
	const struct udp_send s = {.eth_src = guest_mac,
				   .eth_dst = bridge_mac,
				   .src = ip4_from_host(GUEST),
				   .dst = ip4_from_host(FAR),
				   .sport = 4000,
				   .dport = dport,
				   .ttl = ttl};

	send_udp(guest_fd, &s);
}

static void guest_sends(uint16_t dport)
{
	guest_sends_ttl(dport, 64);
}

static void world_answers(uint16_t sport)
{
	const struct udp_send s = {.eth_src = far_mac,
				   .eth_dst = uplink_mac,
				   .src = ip4_from_host(FAR),
				   .dst = ip4_from_host(HOST_OUT),
				   .sport = sport,
				   .dport = 4000,
				   .ttl = 64};

	send_udp(uplink_fd, &s);
}

static void other_sends(const struct mac *to, uint32_t dst, uint16_t dport)
{
	const struct udp_send s = {.eth_src = other_mac,
				   .eth_dst = *to,
				   .src = ip4_from_host(OTHER),
				   .dst = ip4_from_host(dst),
				   .sport = 4000,
				   .dport = dport,
				   .ttl = 64};

	send_udp(other_fd, &s);
}

static void note(const struct nftrace_msg *m, void *ctx)
{
	(void)ctx;
	assert_true(msgs.n < MSGS_MAX);
	msgs.all[msgs.n] = nftrace_msg_copy(m);
	assert_non_null(msgs.all[msgs.n]);
	msgs.n++;
}

static void forget(void)
{
	while (msgs.n)
		free(msgs.all[--msgs.n]);
}

static void read_all(void)
{
	int r;

	forget();
	while ((r = nftrace_read(nftrace, note, NULL)) > 0)
		;
	assert_int_equal(r, 0);
	assert_int_equal(nftrace_broken(nftrace), 0);
}

/* "forward inet fw forward>way accept <ip daddr ...>" a line for each decision. */
static void describe(struct buf *out)
{
	static struct verdict verdicts[64];
	const struct rules *r;
	struct path_decision d;
	struct err e;
	size_t n;

	assert_int_equal(rules_live_get(live, &r, &e), 0);
	n = verdicts_fold((const struct nftrace_msg *const *)msgs.all, msgs.n, verdicts,
			  ARRAY_SIZE(verdicts));
	for (size_t i = 0; i < n; i++) {
		verdict_decision(&verdicts[i], r, &d);
		assert_true(verdicts[i].whole);
		buf_printf(out, "%s %s %s %s>%s %s <%s>\n", d.hook, d.family, d.table, d.base,
			   d.chain, d.verdict, d.rule);
	}
}

static void expect(const char *expected)
{
	struct buf out = BUF_INIT(1 << 16);

	read_all();
	describe(&out);
	assert_string_equal(buf_str(&out), expected);
	buf_done(&out);
}

static void select_flow(const struct nftrace_flow *f)
{
	struct err e = {0};

	if (nftrace_select(nftrace, f, &e))
		fail_msg("%s", e.message);
	read_all();
}

static const struct path_address guest_addr = {AF_INET, {10, 9, 0, 2}};

static struct nftrace_flow guest_flow(void)
{
	return (struct nftrace_flow){.has_mac = true,
				     .mac = guest_mac,
				     .addrs = &guest_addr,
				     .n_addrs = 1,
				     .conntrack = true};
}

static int setup(void **state)
{
	struct err e;

	(void)state;
	guest_fd = tap("tapA");
	other_fd = tap("tapB");
	uplink_fd = tap("tapU");
	run(world);
	assert_int_equal(nftrace_open(&nftrace, &e), 0);
	assert_int_equal(rules_live_new(&live, &e), 0);
	assert_true(nftrace_fd(nftrace) >= 0);
	assert_true(nftrace_socket_inode(nftrace) > 0);
	return 0;
}

static int each(void **state)
{
	struct buf script = BUF_INIT(1 << 16);

	(void)state;
	buf_printf(&script, "nft -f - <<'X'\nflush ruleset\n%sX\n", ruleset);
	run(buf_str(&script));
	buf_done(&script);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	forget();
	rules_live_free(live);
	nftrace_close(nftrace);
	assert_false(tables_have("vmlane_trace"));
	return 0;
}

/* The first packet of a connection meets the NAT rule; the answer is addressed to the host. */
static void test_nat_out_and_back(void **state)
{
	struct nftrace_flow f = guest_flow();

	(void)state;
	select_flow(&f);
	guest_sends(53);
	expect("prerouting inet fw early>early accept <>\n"
	       "forward ip old FORWARD>FORWARD accept <>\n"
	       "forward inet fw forward>way accept <ip daddr 192.0.2.2 udp dport 53 accept>\n"
	       "postrouting inet fw post>post accept <oifname \"tapU\" masquerade>\n");
	world_answers(53);
	expect("forward ip old FORWARD>FORWARD accept <>\n"
	       "forward inet fw forward>forward accept <ct state established accept>\n");
	f.conntrack = false;
	select_flow(&f);
	world_answers(53);
	read_all();
	/* Only from the bridge's output on it is known to be the guest's. */
	for (size_t i = 0; i < msgs.n; i++)
		assert_int_equal(msgs.all[i]->family, NFPROTO_BRIDGE);
}

static void test_drops(void **state)
{
	const struct nftrace_flow f = guest_flow();

	(void)state;
	select_flow(&f);
	guest_sends(666);
	expect("prerouting inet fw early>early accept <>\n"
	       "forward ip old FORWARD>FORWARD accept <>\n"
	       "forward inet fw forward>deep drop <udp dport 666 drop>\n");
	guest_sends(54); /* `return` from the jump, the end of the goto's chain, the policy */
	expect("prerouting inet fw early>early accept <>\n"
	       "forward ip old FORWARD>FORWARD accept <>\n"
	       "forward inet fw forward>forward drop <>\n");
}

static void test_bridged(void **state)
{
	const struct nftrace_flow f = guest_flow();

	(void)state;
	select_flow(&f);
	guest_sends(53); /* the bridge learns where the guest is */
	other_sends(&guest_mac, GUEST, 7);
	read_all();
	other_sends(&guest_mac, GUEST, 7);
	expect("forward bridge b f>f accept <>\n");
	other_sends(&guest_mac, GUEST, 666);
	expect("forward bridge b f>f drop <udp dport 666 drop>\n");
}

/* Nobody else's packets, and of the guest's only those that are wanted. */
static void test_narrowed(void **state)
{
	struct nftrace_flow f = guest_flow();

	(void)state;
	f.proto = IPPROTO_UDP;
	f.port = 53;
	f.has_peer = true;
	f.peer = (struct path_address){AF_INET, {192, 0, 2, 2}};
	select_flow(&f);
	other_sends(&bridge_mac, FAR, 53);
	guest_sends(54);
	read_all();
	assert_int_equal(msgs.n, 0);
	guest_sends(53);
	read_all();
	assert_true(msgs.n > 0);
	world_answers(53);
	read_all();
	assert_true(msgs.n > 0);
	f.peer.addr[3] = 3;
	select_flow(&f);
	guest_sends(53);
	world_answers(53);
	read_all();
	assert_int_equal(msgs.n, 0);
}

/* The host's ICMP error about a connection belongs to it, although it has neither port nor peer. */
static void test_related(void **state)
{
	struct nftrace_flow f = guest_flow();
	bool out = false;

	(void)state;
	f.proto = IPPROTO_UDP;
	f.port = 53;
	select_flow(&f);
	guest_sends_ttl(53, 1);
	read_all();
	for (size_t i = 0; i < msgs.n; i++)
		out = out || (msgs.all[i]->l3.len >= 20 && msgs.all[i]->l3.p[9] == IPPROTO_ICMP);
	assert_true(out);
}

/* What found no room is counted, has no number, and what comes later is whole again. */
static void test_lost(void **state)
{
	struct nftrace_flow f = guest_flow();
	uint64_t before = nftrace_lost(nftrace);
	struct buf out = BUF_INIT(1 << 16);
	uint32_t last;

	(void)state;
	f.flood = true;
	select_flow(&f);
	for (int i = 0; i < 20000 && nftrace_lost(nftrace) == before; i++)
		guest_sends(666);
	assert_true(nftrace_lost(nftrace) > before);
	read_all();
	assert_true(msgs.n > 1000);
	for (size_t i = 1; i < msgs.n; i++)
		assert_int_equal(msgs.all[i]->number, msgs.all[i - 1]->number + 1);
	last = msgs.all[msgs.n - 1]->number;
	before = nftrace_lost(nftrace);
	guest_sends(666);
	read_all();
	assert_int_equal(msgs.all[0]->number, last + 1);
	assert_int_equal(nftrace_lost(nftrace), before);
	describe(&out);
	assert_non_null(strstr(buf_str(&out), "drop <udp dport 666 drop>\n"));
	buf_done(&out);
	guest_sends(666);
	nftrace_restart(nftrace);
	guest_sends(666);
	read_all();
	assert_int_equal(msgs.all[0]->number, 0);
}

static void test_select_again_and_none(void **state)
{
	struct path_address many[PATH_ADDRS_MAX + 1] = {0};
	struct nftrace_flow f = guest_flow();
	struct nftrace_flow nobody = {0};
	struct err e;

	(void)state;
	select_flow(&f);
	select_flow(&f);
	assert_true(tables_have("table inet vmlane_trace_"));
	assert_true(tables_have("table bridge vmlane_trace_"));
	run("nft flush ruleset"); /* somebody else's does not reach them */
	assert_true(tables_have("table inet vmlane_trace_"));
	assert_int_equal(nftrace_select(nftrace, &nobody, &e), -EINVAL);
	f.addrs = many;
	f.n_addrs = 1;
	assert_int_equal(nftrace_select(nftrace, &f, &e), -EINVAL);
	f.n_addrs = ARRAY_SIZE(many);
	assert_int_equal(nftrace_select(nftrace, &f, &e), -EINVAL);
	assert_true(tables_have("table inet vmlane_trace_")); /* as before */
	select_flow(NULL);
	assert_false(tables_have("vmlane_trace"));
	guest_sends(53);
	read_all();
	assert_int_equal(msgs.n, 0);
	select_flow(NULL);
}

/* With a process besides that was started by the traced one, and lives on. */
static void test_killed(void **state)
{
	const struct nftrace_flow f = guest_flow();
	char grandchild[16] = "";
	bool alive, left;
	pid_t pid, sleeper;
	int told[2];

	(void)state;
	select_flow(NULL);
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct nftrace *mine;
		struct err e;

		if (nftrace_open(&mine, &e) || nftrace_select(mine, &f, &e))
			_exit(1);
		sleeper = fork();
		if (sleeper == 0) {
			execlp("sleep", "sleep", "1000", NULL);
			_exit(1);
		}
		dprintf(told[1], "%d\n", (int)sleeper);
		for (;;)
			pause();
	}
	close(told[1]);
	assert_true(read(told[0], grandchild, sizeof(grandchild) - 1) > 1);
	assert_true(tables_have("vmlane_trace_"));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* It holds the pipe's other end until it has become another program. */
	while (read(told[0], grandchild + 14, 1) > 0)
		;
	close(told[0]);
	sleeper = (pid_t)strtol(grandchild, NULL, 10);
	alive = kill(sleeper, 0) == 0;
	left = tables_have("vmlane_trace");
	kill(sleeper, SIGKILL);
	assert_true(alive);
	assert_false(left);
}

static void test_rules_follow_changes(void **state)
{
	const struct rules *first, *same, *later;
	struct err e;

	(void)state;
	assert_int_equal(rules_live_get(live, &first, &e), 0);
	assert_null(rules_chain(first, NFPROTO_INET, "fw", "late"));
	assert_int_equal(rules_live_get(live, &same, &e), 0);
	assert_ptr_equal(first, same);
	run("nft add chain inet fw late");
	assert_int_equal(rules_live_get(live, &later, &e), 0);
	assert_non_null(rules_chain(later, NFPROTO_INET, "fw", "late"));
	assert_true(rules_conntrack(later));
	run("nft flush ruleset");
	assert_int_equal(rules_live_get(live, &later, &e), 0);
	assert_null(rules_chain(later, NFPROTO_INET, "fw", "late"));
	assert_false(rules_conntrack(later));
}

/* What iptables-nft makes is said to be its, and its rules are told as any other's. */
static void test_iptables(void **state)
{
	const struct nftrace_flow f = guest_flow();
	struct buf out = BUF_INIT(1 << 16);
	const struct rules_chain *chain;
	const struct rules *r;
	struct err e;

	(void)state;
	if (access("/usr/sbin/iptables-nft", X_OK) < 0)
		skip();
	run("nft delete table ip old\n"
	    "iptables-nft -N DOCKER-USER\n"
	    "iptables-nft -A FORWARD -j DOCKER-USER\n"
	    "iptables-nft -A DOCKER-USER -p udp --dport 53 -m string --string x --algo bm -j DROP\n"
	    "iptables-nft -A DOCKER-USER -p udp --dport 53 -m conntrack --ctstate NEW,ESTABLISHED "
	    "-j DROP\n");
	select_flow(&f);
	guest_sends_ttl(53, 63);
	assert_int_equal(rules_live_get(live, &r, &e), 0);
	chain = rules_chain(r, NFPROTO_IPV4, "filter", "FORWARD");
	assert_non_null(chain);
	assert_true(chain->table->iptables);
	assert_false(rules_chain(r, NFPROTO_INET, "fw", "forward")->table->iptables);
	assert_string_equal(chain->hook, "forward");
	read_all();
	describe(&out);
	/* The text behind it is libxtables' business. */
	assert_non_null(strstr(buf_str(&out), "\nforward ip filter FORWARD>DOCKER-USER drop <udp"));
	assert_non_null(strstr(buf_str(&out), " drop>\n"));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nat_out_and_back, each),
		cmocka_unit_test_setup(test_drops, each),
		cmocka_unit_test_setup(test_bridged, each),
		cmocka_unit_test_setup(test_narrowed, each),
		cmocka_unit_test_setup(test_related, each),
		cmocka_unit_test_setup(test_lost, each),
		cmocka_unit_test_setup(test_select_again_and_none, each),
		cmocka_unit_test_setup(test_killed, each),
		cmocka_unit_test_setup(test_rules_follow_changes, each),
		cmocka_unit_test_setup(test_iptables, each),
	};

	netns_enter();
	if (access("/usr/sbin/nft", X_OK) < 0 ||
	    (access("/usr/sbin/ip", X_OK) < 0 && access("/sbin/ip", X_OK) < 0))
		netns_skip("no nft or no ip");
	return cmocka_run_group_tests(tests, setup, teardown);
}
