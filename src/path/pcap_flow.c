/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcap_flow.c - pcap_filter_flow() of pcap_filter.h: a filter in simple terms, where it is simple, and
 * what of that the programs in the kernel can ask quickly.
 */
#include "path/pcap_filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <string.h>
#include "base/addr.h"
#include "base/text.h"

/* struct family - words that say what kind of packet; 0: any */
struct family {
	const char *word;
	uint16_t ethertype;
	uint8_t l4;
};

static const struct family families[] = {
	{"ip", ETHERTYPE_IP, 0},
	{"ip6", ETHERTYPE_IPV6, 0},
	{"arp", ETHERTYPE_ARP, 0},
	{"icmp", ETHERTYPE_IP, IPPROTO_ICMP},
	{"icmp6", ETHERTYPE_IPV6, IPPROTO_ICMPV6},
	{"tcp", 0, IPPROTO_TCP},
	{"udp", 0, IPPROTO_UDP},
};

enum side { EITHER, SRC, DST };

/* struct walk - the tokens not yet read, and what those before said */
struct walk {
	const struct filter_token *at;
	const struct filter_token *end;
	struct pcap_filter_flow flow;
};

static bool word_take(struct walk *w, const char *word)
{
	if (w->at == w->end || strcmp(w->at->text, word) != 0)
		return false;
	w->at++;
	return true;
}

/* False: a word before said otherwise. */
static bool family_apply(struct pcap_filter_flow *f, const struct family *family)
{
	if (family->l4 && f->l4)
		return false;
	if (family->ethertype && f->ethertype && f->ethertype != family->ethertype)
		return false;
	if (family->l4)
		f->l4 = family->l4;
	if (family->ethertype)
		f->ethertype = family->ethertype;
	return true;
}

static const struct family *family_take(struct walk *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (word_take(w, families[i].word))
			return &families[i];
	return NULL;
}

static bool port_take(struct walk *w, enum side side)
{
	uint16_t *const places[] = {&w->flow.port, &w->flow.sport, &w->flow.dport};
	uint32_t port;

	if (w->at == w->end || w->at->kind != FILTER_NUMBER || *places[side] ||
	    text_u32(w->at->text, 1, UINT16_MAX, &port))
		return false;
	*places[side] = (uint16_t)port;
	w->at++;
	return true;
}

static bool host_take(struct walk *w, enum side side)
{
	struct pcap_filter_addr *const places[] = {&w->flow.host, &w->flow.src, &w->flow.dst};
	struct pcap_filter_addr *a = places[side];
	struct in_addr a4;

	if (w->at == w->end || w->at->kind != FILTER_ADDRESS || a->family)
		return false;
	if (!ip4_parse(w->at->text, &a4)) {
		a->family = AF_INET;
		memcpy(a->addr, &a4, sizeof(a4));
	} else if (inet_pton(AF_INET6, w->at->text, a->addr) == 1) {
		a->family = AF_INET6;
	} else {
		return false;
	}
	w->at++;
	return true;
}

/* [ip|tcp|...] [src|dst] [port N | host A], of which at least one; "src A" is enough. */
static bool condition_take(struct walk *w)
{
	const struct family *family = family_take(w);
	bool more = w->at != w->end && strcmp(w->at->text, "and") != 0 &&
		    strcmp(w->at->text, "&&") != 0;
	enum side side = EITHER;

	if (family && !family_apply(&w->flow, family))
		return false;
	if (family && !more)
		return true;
	/* "icmp host A", "arp port 1": libpcap has its own thoughts about them. */
	if (family && (family->l4 == IPPROTO_ICMP || family->l4 == IPPROTO_ICMPV6))
		return false;
	if (word_take(w, "src"))
		side = SRC;
	else if (word_take(w, "dst"))
		side = DST;
	if (word_take(w, "port"))
		return port_take(w, side);
	if (family && family->l4)
		return false;
	return (word_take(w, "host") || side != EITHER) && host_take(w, side);
}

static bool conditions_take(struct walk *w)
{
	if (w->at == w->end)
		return true;
	while (condition_take(w)) {
		if (w->at == w->end)
			return true;
		if (!word_take(w, "and") && !word_take(w, "&&"))
			return false;
	}
	return false;
}

bool pcap_filter_flow(const char *text, struct pcap_filter_flow *ret)
{
	_cleanup_(freep) struct filter_tokens *tokens = malloc(sizeof(*tokens));
	struct walk w = {0};

	if (!tokens || filter_words_check(text, tokens, NULL))
		return false;
	w.at = tokens->items;
	w.end = tokens->items + tokens->n;
	if (!conditions_take(&w))
		return false;
	*ret = w.flow;
	return true;
}

/* Of a packet's two ports one is @f's, of its two addresses too: which of the two is not asked. */
void pcap_flow_must(const struct pcap_filter_flow *f, struct path_match *ret)
{
	const struct pcap_filter_addr *const addrs[] = {&f->host, &f->src, &f->dst};
	const uint16_t ports[] = {f->port, f->sport, f->dport};

	*ret = (struct path_match){.ethertype = f->ethertype, .l4 = f->l4};
	for (size_t i = 0; i < ARRAY_SIZE(ports) && !ret->port_be; i++)
		ret->port_be = htons(ports[i]);
	for (size_t i = 0; i < ARRAY_SIZE(addrs) && !ret->family; i++) {
		ret->family = addrs[i]->family;
		memcpy(ret->host, addrs[i]->addr, sizeof(ret->host));
	}
}
