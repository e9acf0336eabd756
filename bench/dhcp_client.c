/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dhcp_client.c - asks several DHCP servers in turn, with a new MAC each time, and prints how long
 * they took. One process and one codec for all of them, so that only the servers differ.
 *
 *   dhcp_client latency ROUNDS TIMEOUT_MS SIDE=INTERFACE...
 *	a line a round, for each side OFFER_NS/ACK_NS since the DISCOVER left; "lost" when there was
 *	no ACK within TIMEOUT_MS
 *   dhcp_client rate SLICES SLICE_MS CLIENTS SIDE=INTERFACE...
 *	a line a slice, for each side the ACKs per second of CLIENTS clients that each ask again as
 *	soon as they have their address
 *
 * Sides are asked in another order each round. It does not configure anything: next is dhcp.py.
 */
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "base/addr.h"
#include "wire/dhcp4.h"
#include "wire/frame.h"

#define SIDES_MAX 8
#define CLIENTS_MAX 1024
#define RETRY_NS 200000000 /* a client that hears nothing begins anew, in `rate` */
#define DRAIN_NS 300000000 /* how long a side may answer what is left when its slice is over */

/**
 * struct client - one exchange
 * @xid:	index in the low 16 bits, generation in the upper
 * @sent_ns:	when the DISCOVER left
 * @offer_ns:	when the OFFER came; 0 before
 */
struct client {
	struct mac mac;
	uint32_t xid;
	uint64_t sent_ns;
	uint64_t offer_ns;
	uint64_t ack_ns;
};

/* struct side - one server, behind one interface. */
struct side {
	const char *name;
	int fd;
	struct client clients[CLIENTS_MAX];
};

/*
 * Replies by broadcast: else a server that sends through the host's neighbour table is measured by
 * how full that is (1,024 entries for all namespaces), not by what it does.
 */
static bool broadcast;
static uint32_t next_mac;
static uint8_t mac_prefix;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* A MAC that no server has seen: locally administered, a random start, then counted up. */
static struct mac fresh_mac(void)
{
	struct mac m = {{0x02, mac_prefix}};

	next_mac++;
	for (int i = 0; i < 4; i++)
		m.b[2 + i] = (uint8_t)(next_mac >> (24 - 8 * i));
	return m;
}

static int send_msg(struct side *s, const struct client *c, struct dhcp4_msg *m)
{
	static const uint8_t wanted[] = {1, 3, 6, 12, 15, 26, 28, 51, 58, 59};
	uint8_t payload[DHCP4_MSG_MAX], bytes[1600];
	struct udp_send udp = {
		.eth_src = c->mac,
		.eth_dst = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		.dst = {.s_addr = INADDR_BROADCAST},
		.sport = DHCP4_CLIENT_PORT,
		.dport = DHCP4_SERVER_PORT,
		.ttl = 64,
		.payload = payload,
	};
	int len;

	m->op = 1;
	m->broadcast = broadcast;
	m->xid = c->xid;
	m->chaddr = c->mac;
	memcpy(m->params, wanted, sizeof(wanted));
	m->n_params = sizeof(wanted);
	len = dhcp4_build(m, payload, sizeof(payload));
	if (len < 0)
		return len;
	udp.payload_len = (size_t)len;
	len = udp_frame_build(&udp, bytes, sizeof(bytes));
	if (len < 0)
		return len;
	return send(s->fd, bytes, (size_t)len, 0) < 0 ? -errno : 0;
}

/* discover() - client @i of @s begins a new exchange as somebody new. */
static int discover(struct side *s, uint16_t i)
{
	struct client *c = &s->clients[i];
	struct dhcp4_msg m = {.type = DHCP4_DISCOVER};
	uint32_t generation = (c->xid >> 16) + 1;

	*c = (struct client){.mac = fresh_mac(), .xid = generation << 16 | i, .sent_ns = now_ns()};
	return send_msg(s, c, &m);
}

/* receive() - the next reply that belongs to an exchange under way, or NULL after @timeout_ms. */
static struct client *receive(struct side *s, int timeout_ms, struct dhcp4_msg *m)
{
	uint64_t until = now_ns() + (uint64_t)timeout_ms * 1000000;
	uint8_t bytes[2048];
	struct frame f;

	for (uint64_t now = now_ns(); now < until; now = now_ns()) {
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		struct client *c;
		ssize_t len;

		len = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (len < 0) {
			poll(&p, 1, (int)((until - now + 999999) / 1000000));
			continue;
		}
		if (frame_parse(bytes, (size_t)len, false, &f) < 0 || f.kind != FRAME_UDP ||
		    f.dport != DHCP4_CLIENT_PORT || dhcp4_parse(f.payload, f.payload_len, m) < 0 ||
		    m->op != 2)
			continue;
		c = &s->clients[m->xid % CLIENTS_MAX];
		if (c->xid == m->xid && mac_equal(&c->mac, &m->chaddr))
			return c;
	}
	return NULL;
}

/* step() - what a client does with a reply; 1 when that was its ACK. */
static int step(struct side *s, struct client *c, const struct dhcp4_msg *reply)
{
	struct dhcp4_msg m = {.type = DHCP4_REQUEST, .requested = reply->yiaddr};

	if (reply->type == DHCP4_ACK && c->offer_ns && !c->ack_ns) {
		c->ack_ns = now_ns();
		return 1;
	}
	if (reply->type != DHCP4_OFFER || c->offer_ns)
		return 0;
	c->offer_ns = now_ns();
	m.server_id = reply->server_id;
	return send_msg(s, c, &m);
}

/* ---- latency ---- */

static int exchange(struct side *s, int timeout_ms)
{
	uint64_t until = now_ns() + (uint64_t)timeout_ms * 1000000;
	struct dhcp4_msg m;
	int r = discover(s, 0);

	while (r == 0 && now_ns() < until) {
		struct client *c = receive(s, timeout_ms, &m);

		if (c)
			r = step(s, c, &m);
	}
	return r < 0 ? r : 0;
}

static int latency(struct side *sides, size_t n, unsigned int rounds, int timeout_ms)
{
	for (unsigned int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < n; i++) {
			int r = exchange(&sides[(i + round) % n], timeout_ms);

			if (r < 0)
				return r;
		}
		for (size_t i = 0; i < n; i++) {
			const struct client *c = &sides[i].clients[0];

			if (c->ack_ns)
				printf("%llu/%llu ", (unsigned long long)(c->offer_ns - c->sent_ns),
				       (unsigned long long)(c->ack_ns - c->sent_ns));
			else
				printf("lost ");
		}
		putchar('\n');
	}
	return 0;
}

/* ---- rate ---- */

/* restart_silent() - clients that were not answered begin anew. */
static int restart_silent(struct side *s, uint16_t clients)
{
	uint64_t now = now_ns();

	for (uint16_t i = 0; i < clients; i++) {
		int r = now - s->clients[i].sent_ns > RETRY_NS ? discover(s, i) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* drain() - let the side finish what was begun, so that it does not work in another one's slice. */
static void drain(struct side *s, uint16_t clients)
{
	uint64_t until = now_ns() + DRAIN_NS;
	struct dhcp4_msg m;
	unsigned int left = 0;

	for (uint16_t i = 0; i < clients; i++)
		left += s->clients[i].ack_ns == 0;
	while (left > 0 && now_ns() < until) {
		struct client *c = receive(s, 20, &m);

		if (c && step(s, c, &m) == 1)
			left--;
	}
}

static int slice(struct side *s, uint16_t clients, uint64_t slice_ns, double *ret)
{
	uint64_t start = now_ns(), now;
	struct dhcp4_msg m;
	unsigned int acks = 0;
	int r = 0;

	for (uint16_t i = 0; i < clients && r == 0; i++)
		r = discover(s, i);
	while (r == 0 && (now = now_ns()) < start + slice_ns) {
		struct client *c = receive(s, 10, &m);

		r = c ? step(s, c, &m) : restart_silent(s, clients);
		if (r == 1) {
			acks++;
			r = discover(s, (uint16_t)(c->xid & 0xffff));
		}
	}
	if (r < 0)
		return r;
	*ret = acks * 1e9 / (double)(now_ns() - start);
	drain(s, clients);
	return 0;
}

static int rate(struct side *sides, size_t n, unsigned int slices, unsigned int slice_ms,
		uint16_t clients)
{
	for (unsigned int i = 0; i < slices; i++) {
		double rates[SIDES_MAX];

		for (size_t k = 0; k < n; k++) {
			size_t which = (k + i) % n;
			int r = slice(&sides[which], clients, (uint64_t)slice_ms * 1000000,
				      &rates[which]);

			if (r < 0)
				return r;
		}
		for (size_t k = 0; k < n; k++)
			printf("%.1f ", rates[k]);
		putchar('\n');
	}
	return 0;
}

/* ---- setting up ---- */

static int side_open(struct side *s, char *arg)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	char *equals = strchr(arg, '=');
	int size = 4 << 20;

	if (!equals)
		return -EINVAL;
	*equals = '\0';
	s->name = arg;
	ll.sll_ifindex = (int)if_nametoindex(equals + 1);
	if (ll.sll_ifindex == 0)
		return -errno;
	/* Protocol 0 until it is bound: nothing of other interfaces gets in. */
	s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&ll, sizeof(ll)) < 0)
		return -errno;
	return setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ? -errno : 0;
}

static int number(const char *text, unsigned long max, unsigned int *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || n == 0 || n > max)
		return -EINVAL;
	*ret = (unsigned int)n;
	return 0;
}

static int run(int argc, char **argv)
{
	static struct side sides[SIDES_MAX];
	unsigned int a, b, clients = 1;
	bool is_rate = argc > 1 && strcmp(argv[1], "rate") == 0;
	int first = is_rate ? 5 : 4, r = 0;
	size_t n;

	if (argc <= first || argc - first > SIDES_MAX ||
	    (!is_rate && strcmp(argv[1], "latency") != 0) || number(argv[2], 1000000, &a) < 0 ||
	    number(argv[3], 1000000, &b) < 0 ||
	    (is_rate && number(argv[4], CLIENTS_MAX, &clients) < 0))
		return -EINVAL;
	n = (size_t)(argc - first);
	for (size_t i = 0; i < n && r == 0; i++)
		r = side_open(&sides[i], argv[(size_t)first + i]);
	if (r < 0)
		return r;
	if (getrandom(&next_mac, sizeof(next_mac), 0) < 0 ||
	    getrandom(&mac_prefix, sizeof(mac_prefix), 0) < 0)
		return -errno;
	broadcast = is_rate;
	return is_rate ? rate(sides, n, a, b, (uint16_t)clients) : latency(sides, n, a, (int)b);
}

int main(int argc, char **argv)
{
	int r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	r = run(argc, argv);
	if (r < 0) {
		fprintf(stderr, "dhcp_client: %s\n",
			r == -EINVAL ? "usage: dhcp_client latency ROUNDS TIMEOUT_MS SIDE=IF... | "
				       "rate SLICES SLICE_MS CLIENTS SIDE=IF..."
				     : strerror(-r));
		return 1;
	}
	return 0;
}
