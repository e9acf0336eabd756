/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/path/pcap_filter.c, pcap_flow.c and filter_words.c: no name is ever looked up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path/pcap_filter.h"
#include "no_lookups.h"

#define TRACER_SEES (PATH_FRAME_MAX - 1)

/* ---- frames ---- */

/* struct sent - a frame: IPv4 when @ethertype is 0x0800, with ports or an ICMP type in @sport */
struct sent {
	uint16_t ethertype;
	uint8_t l4;
	const char *src;
	const char *dst;
	uint16_t sport;
	uint16_t dport;
};

enum { PING, DNS, HTTPS, HTTPS_BACK, ARP, ND, FRAMES };

static const struct sent frames[] = {
	[PING] = {0x0800, 1, "192.168.122.10", "8.8.8.8", 0x0800, 0},
	[DNS] = {0x0800, 17, "192.168.122.10", "192.168.122.1", 40000, 53},
	[HTTPS] = {0x0800, 6, "192.168.122.10", "203.0.113.9", 41000, 443},
	[HTTPS_BACK] = {0x0800, 6, "203.0.113.9", "192.168.122.10", 443, 41000},
	[ARP] = {0x0806, 0, "192.168.122.10", "192.168.122.1", 0, 0},
	[ND] = {0x86dd, 58, "fe80::1", "ff02::1", 0x8700, 0},
};

static void be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static size_t frame_make(const struct sent *s, uint8_t b[64])
{
	static const uint8_t macs[12] = {0x52, 0x54, 0, 0, 0, 1, 0x52, 0x54, 0, 0x39, 0xd3, 0xfe};
	uint8_t *l3 = b + 14;

	memset(b, 0, 64);
	memcpy(b, macs, sizeof(macs));
	be16(b + 12, s->ethertype);
	if (s->ethertype == 0x0806) {
		memcpy(l3, "\0\1\x08\0\6\4\0\1", 8);
		assert_int_equal(inet_pton(AF_INET, s->src, l3 + 14), 1);
		assert_int_equal(inet_pton(AF_INET, s->dst, l3 + 24), 1);
		return 42;
	}
	if (s->ethertype == 0x86dd) {
		l3[0] = 0x60;
		l3[6] = s->l4;
		assert_int_equal(inet_pton(AF_INET6, s->src, l3 + 8), 1);
		assert_int_equal(inet_pton(AF_INET6, s->dst, l3 + 24), 1);
		be16(l3 + 40, s->sport);
		return 14 + 40 + 8;
	}
	l3[0] = 0x45;
	be16(l3 + 2, 40);
	l3[9] = s->l4;
	assert_int_equal(inet_pton(AF_INET, s->src, l3 + 12), 1);
	assert_int_equal(inet_pton(AF_INET, s->dst, l3 + 16), 1);
	be16(l3 + 20, s->sport);
	be16(l3 + 22, s->dport);
	return 54;
}

static int compile(const char *text, size_t seen, struct pcap_filter *ret, struct err *e)
{
	return pcap_filter_compile(&text, 1, seen, ret, e);
}

/* struct match_case - which of the frames above a filter takes, as bits */
struct match_case {
	const char *filter;
	unsigned int frames;
};
#define BIT(f) (1u << (f))

static void test_matches(void **state)
{
	static const struct match_case cases[] = {
		{"", BIT(FRAMES) - 1},
		{" \t ", BIT(FRAMES) - 1},
		{"icmp", BIT(PING)},
		{"tcp port 443", BIT(HTTPS) | BIT(HTTPS_BACK)},
		{"tcp dst port 443", BIT(HTTPS)},
		{"tcp port https", BIT(HTTPS) | BIT(HTTPS_BACK)},
		{"port domain or https", BIT(DNS) | BIT(HTTPS) | BIT(HTTPS_BACK)},
		{"port (53 or https)", BIT(DNS) | BIT(HTTPS) | BIT(HTTPS_BACK)},
		{"portrange 40000-40500", BIT(DNS)},
		{"host 8.8.8.8", BIT(PING)},
		{"host 203.0.113.9 and src port 443", BIT(HTTPS_BACK)},
		{"host (8.8.8.8 or 203.0.113.9)", BIT(PING) | BIT(HTTPS) | BIT(HTTPS_BACK)},
		{"net 203.0.113.0/24", BIT(HTTPS) | BIT(HTTPS_BACK)},
		{"net 203.0.113", BIT(HTTPS) | BIT(HTTPS_BACK)},
		{"net 203.0.113.0 mask 255.255.255.0", BIT(HTTPS) | BIT(HTTPS_BACK)},
		{"arp or icmp6", BIT(ARP) | BIT(ND)},
		{"ip proto \\udp", BIT(DNS)},
		{"ip proto 17", BIT(DNS)},
		{"host fe80::1", BIT(ND)},
		{"ip6 and not host fe80::2", BIT(ND)},
		{"!ip&&!ip6", BIT(ARP)},
		{"ether host 52:54:00:39:d3:fe", BIT(FRAMES) - 1},
		{"ether src 52:54:00:00:00:02", 0},
		{"icmp[icmptype] == icmp-echo", BIT(PING)},
		{"ip[2:2] > 30 and udp", BIT(DNS)},
		{"tcp[tcpflags] & (tcp-syn|tcp-fin) = 0", BIT(HTTPS) | BIT(HTTPS_BACK)},
		{"len > 60", BIT(ND)},
		{"greater 100", 0},
	};
	uint8_t frame[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pcap_filter f;
		struct err e = {0};

		if (compile(cases[i].filter, PCAP_FILTER_WHOLE, &f, &e))
			fail_msg("%s: %s: %s", cases[i].filter, e.where, e.message);
		for (unsigned int k = 0; k < FRAMES; k++) {
			size_t len = frame_make(&frames[k], frame);
			bool want = cases[i].frames & BIT(k);

			if (pcap_filter_matches(&f, frame, len, len) != want)
				fail_msg("\"%s\" and frame %u: %s", cases[i].filter, k,
					 want ? "did not match" : "matched");
		}
	}
	assert_int_equal(lookups, 0);
}

/* As argv has them. */
static void test_words(void **state)
{
	const char *const words[] = {"tcp", "", "port 443", "and", "host", "203.0.113.9"};
	struct pcap_filter f;

	(void)state;
	assert_int_equal(pcap_filter_compile(words, ARRAY_SIZE(words), TRACER_SEES, &f, NULL), 0);
	assert_string_equal(f.text, "tcp port 443 and host 203.0.113.9");
	assert_true(f.n > 0);
	assert_int_equal(pcap_filter_compile(NULL, 0, TRACER_SEES, &f, NULL), 0);
	assert_string_equal(f.text, "");
	assert_int_equal(f.n, 0);
}

/* struct refused_case - a filter, and words that the error has to have */
struct refused_case {
	const char *filter;
	const char *words;
};

static void refuse(const char *filter, size_t seen, const char *words)
{
	struct pcap_filter f = {.n = 77};
	struct err e = {0};
	char text[800];
	int r = compile(filter, seen, &f, &e);

	if (!r)
		fail_msg("\"%s\" was taken", filter);
	if (!strstr(err_format(&e, text, sizeof(text)), words))
		fail_msg("\"%s\": \"%s\" does not say \"%s\"", filter, text, words);
	if (lookups)
		fail_msg("\"%s\" was looked up", filter);
	assert_int_equal(f.n, 77);
}

static void test_names_refused(void **state)
{
	static const char *const names[] = {
		"host example.com",
		"example.com",
		"host web1",
		"host http",
		"http",
		"src http",
		"src or dst http",
		"net loopback",
		"gateway router",
		"ether host router",
		"tcp and example.com",
		"host 1.2.3.4 or example.com",
		"port 80 or host example.com",
		"port 80 or src example.com",
		"host 1.2.3.4 or (tcp port 80) or http",
		"port 80 and (host 1.2.3.4 or http)",
		"not example.com",
		"!example.com",
		"host 1.2.3.4.5",
		"8.8.8.8x",
		"host deadbeefcafe",
		"host \\example",
		"\\http",
		"52-54-00-39-d3-fe",
		"ip6 host example.com",
		"vlan 1 and http",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		refuse(names[i], PCAP_FILTER_WHOLE, "no word of a filter");
	/* A keyword of libpcap's that we do not have must not pass for a port's name. */
	refuse("port 80 or fddi foo", PCAP_FILTER_WHOLE, "after the name \"fddi\"");
	refuse("port 80 or fddi (foo)", PCAP_FILTER_WHOLE, "after the name \"fddi\"");
}

/* The stand-ins of no_lookups.h do stand between: without our look libpcap does ask. */
static void test_lookups_are_seen(void **state)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 1000);
	struct bpf_program p;

	(void)state;
	assert_non_null(pcap);
	assert_int_equal(pcap_compile(pcap, &p, "host example.com", 1, 0), -1);
	assert_int_equal(lookups, 1);
	assert_int_equal(pcap_compile(pcap, &p, "net example", 1, 0), -1);
	assert_int_equal(pcap_compile(pcap, &p, "ether host example", 1, 0), -1);
	assert_int_equal(lookups, 3);
	pcap_close(pcap);
	lookups = 0;
}

static void test_refused(void **state)
{
	static const struct refused_case cases[] = {
		{"TCP port 80", "did you mean \"tcp\""},
		{"tpcc port 80", "did you mean \"tcp\""},
		{"prort 80", "did you mean \"port\""},
		{"8.8.8.8", "\"host 8.8.8.8\""},
		{"icmp and 8.8.8.8", "syntax error"},
		{"host", "syntax error"},
		{"tcp port", "syntax error"},
		{"tcp and udp", "rejects all packets"},
		{"port nosuchport", "nosuchport"},
		{"port 70000", "70000"},
		{"host 8.8.8.888", "up to 255"},
		{"ether host 52:54:00", "neither an IPv6 address nor a MAC"},
		{"host fe80::1::2", "neither an IPv6 address nor a MAC"},
		{"ip broadcast", "netmask"},
		{"tcp $x", "\"$\" has no meaning"},
		{"tcp \x01", "byte 0x01 has no meaning"},
		{"tcp \xc3\xa4", "byte 0xc3 has no meaning"},
		{"((tcp)", "syntax error"},
		{"ip[0] / 0 = 1", "ivision by zero"},
		{"wlan host 52:54:00:39:d3:fe", "no word of a filter"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		refuse(cases[i].filter, PCAP_FILTER_WHOLE, cases[i].words);
}

static void test_what_is_not_seen(void **state)
{
	struct pcap_filter f;

	(void)state;
	refuse("len > 100", TRACER_SEES, "length");
	refuse("less 100", TRACER_SEES, "ip[2:2]");
	refuse("ether[127] = 1", TRACER_SEES, "byte 127");
	refuse("ether[125:4] = 1", TRACER_SEES, "byte 128");
	assert_int_equal(compile("ether[126] = 1", TRACER_SEES, &f, NULL), 0);
	assert_int_equal(compile("ether[123:4] = 1", TRACER_SEES, &f, NULL), 0);
	assert_int_equal(compile("ether[127] = 1", PCAP_FILTER_WHOLE, &f, NULL), 0);
}

static void test_limits(void **state)
{
	char *text = calloc(1, 64 * 1024);
	size_t len = 0;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', FILTER_TEXT_MAX + 1);
	refuse(text, PCAP_FILTER_WHOLE, "more than 2048 characters");
	text[FILTER_TOKEN_MAX + 1] = '\0';
	refuse(text, PCAP_FILTER_WHOLE, "more than 63 characters");
	memset(text, '(', FILTER_TEXT_MAX);
	text[FILTER_TEXT_MAX] = '\0';
	refuse(text, PCAP_FILTER_WHOLE, "parentheses");
	memset(text, '!', FILTER_TEXT_MAX);
	refuse(text, PCAP_FILTER_WHOLE, "more than 512 words");
	for (int i = 1; i < 100; i++)
		len += (size_t)snprintf(text + len, 64, "%shost %x::%x", len ? " or " : "", i, i);
	refuse(text, PCAP_FILTER_WHOLE, "instructions");
	free(text);
}

/* ---- in simple terms ---- */

/* struct flow_case - a filter, and its flow as a text; NULL when it is not simple */
struct flow_case {
	const char *filter;
	const char *flow;
};

static void addr_print(const char *name, const struct pcap_filter_addr *a, char *out, size_t size)
{
	char addr[INET6_ADDRSTRLEN];
	size_t len = strlen(out);

	if (!a->family)
		return;
	assert_non_null(inet_ntop(a->family, a->addr, addr, sizeof(addr)));
	snprintf(out + len, size - len, " %s %s", name, addr);
}

static const char *flow_print(const struct pcap_filter_flow *f, char *out, size_t size)
{
	snprintf(out, size, "%04x/%u %u:%u:%u", f->ethertype, f->l4, f->sport, f->dport, f->port);
	addr_print("src", &f->src, out, size);
	addr_print("dst", &f->dst, out, size);
	addr_print("host", &f->host, out, size);
	return out;
}

static void test_flow(void **state)
{
	static const struct flow_case cases[] = {
		{"", "0000/0 0:0:0"},
		{"icmp", "0800/1 0:0:0"},
		{"icmp6", "86dd/58 0:0:0"},
		{"arp", "0806/0 0:0:0"},
		{"ip6", "86dd/0 0:0:0"},
		{"tcp port 443", "0000/6 0:0:443"},
		{"tcp and port 443", "0000/6 0:0:443"},
		{"udp src port 67 and dst port 68", "0000/17 67:68:0"},
		{"port 53", "0000/0 0:0:53"},
		{"host 8.8.8.8", "0000/0 0:0:0 host 8.8.8.8"},
		{"host 8.8.8.8 && icmp", "0800/1 0:0:0 host 8.8.8.8"},
		{"src 10.0.0.1 and dst host 10.0.0.2 and tcp dst port 22",
		 "0000/6 0:22:0 src 10.0.0.1 dst 10.0.0.2"},
		{"ip6 host fe80::1", "86dd/0 0:0:0 host fe80::1"},
		{"arp host 10.0.0.1", "0806/0 0:0:0 host 10.0.0.1"},
		{"ip and tcp", "0800/6 0:0:0"},
		{"8.8.8.8", NULL},
		{"tcp or udp", NULL},
		{"not icmp", NULL},
		{"!icmp", NULL},
		{"(tcp)", NULL},
		{"tcp port https", NULL},
		{"port 1 and port 2", NULL},
		{"host 10.0.0.1 and host 10.0.0.2", NULL},
		{"src or dst port 1", NULL},
		{"net 10.0.0.0/8", NULL},
		{"host 10.1", NULL},
		{"host 10.0.0.0/8", NULL},
		{"tcp[13] & 2 != 0", NULL},
		{"ether host 52:54:00:39:d3:fe", NULL},
		{"icmp host 10.0.0.1", NULL},
		{"tcp host 10.0.0.1", NULL},
		{"ip and ip6", NULL},
		{"tcp and udp", NULL},
		{"tcp and", NULL},
		{"and tcp", NULL},
		{"tcp port 443 host 10.0.0.1", NULL},
		{"port 0", NULL},
		{"port 65536", NULL},
		{"port", NULL},
		{"tcp port 0x50", NULL},
		{"vlan", NULL},
		{"host example.com", NULL},
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pcap_filter_flow f;

		if (pcap_filter_flow(cases[i].filter, &f) != !!cases[i].flow)
			fail_msg("\"%s\" is%s simple", cases[i].filter,
				 cases[i].flow ? "" : " not");
		if (cases[i].flow && strcmp(flow_print(&f, text, sizeof(text)), cases[i].flow) != 0)
			fail_msg("\"%s\": %s, not %s", cases[i].filter, text, cases[i].flow);
	}
	assert_int_equal(lookups, 0);
}

static bool has_addr(const uint8_t *a, const uint8_t *b, const struct path_match *must)
{
	size_t n = must->family == AF_INET ? 4 : 16;

	return !memcmp(a, must->host, n) || !memcmp(b, must->host, n);
}

/* As filter_cannot_match() of bpf/filter.bpf.h looks at it, on the frames of frame_make(). */
static bool has(const uint8_t *frame, const struct path_match *must)
{
	uint16_t type = (uint16_t)(frame[12] << 8 | frame[13]);
	const uint8_t *l3 = frame + 14;

	if (must->ethertype && type != must->ethertype)
		return false;
	if (type == 0x86dd)
		return must->family != AF_INET6 || has_addr(l3 + 8, l3 + 24, must);
	if (type != 0x0800)
		return true;
	if (must->l4 && l3[9] != must->l4)
		return false;
	if (must->family == AF_INET && !has_addr(l3 + 12, l3 + 16, must))
		return false;
	return !must->port_be || !memcmp(l3 + 20, &must->port_be, 2) ||
	       !memcmp(l3 + 22, &must->port_be, 2);
}

/* What matches a filter always has what it must have; @others: how many frames it can do without. */
static void test_must(void **state)
{
	static const struct {
		const char *filter;
		unsigned int others;
	} cases[] = {
		{"icmp", 5},
		{"arp", 5},
		{"tcp port 443", 2},
		{"tcp src port 443", 2},
		{"tcp dst port 443 and src 192.168.122.10", 2},
		{"udp", 3},
		{"host 8.8.8.8", 3},
		{"dst host 192.168.122.10", 0},
		{"ip and host 203.0.113.9", 4},
		{"src host 192.168.122.10 and dst host 8.8.8.8", 0},
		{"ip6 host fe80::1", 5},
		{"host fe80::2", 1},
		{"", 0},
	};
	uint8_t frame[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pcap_filter_flow flow;
		struct pcap_filter f;
		struct path_match must;
		unsigned int others = 0;

		assert_int_equal(compile(cases[i].filter, TRACER_SEES, &f, NULL), 0);
		assert_true(pcap_filter_flow(f.text, &flow));
		pcap_flow_must(&flow, &must);
		for (unsigned int k = 0; k < FRAMES; k++) {
			size_t len = frame_make(&frames[k], frame);

			others += !has(frame, &must);
			if (pcap_filter_matches(&f, frame, len, len) && !has(frame, &must))
				fail_msg("\"%s\" matches frame %u", cases[i].filter, k);
		}
		if (others != cases[i].others)
			fail_msg("\"%s\" leaves out %u", cases[i].filter, others);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookups_are_seen),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_names_refused),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_what_is_not_seen),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_flow),
		cmocka_unit_test(test_must),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
