/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcap_filter.c - see pcap_filter.h. The words go through filter_words.h first, so that libpcap has no
 * name of a host to look up.
 */
#include "path/pcap_filter.h"

#include <assert.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include "base/buf.h"

#define SNAPLEN 262144 /* what a match returns; any but 0 will do */

static_assert(sizeof(struct path_insn) == sizeof(struct bpf_insn), "copied as they are");

static int join(const char *const *words, size_t n, struct pcap_filter *ret, struct err *e)
{
	struct buf b = BUF_INIT(FILTER_TEXT_MAX);
	int r;

	for (size_t i = 0; i < n; i++) {
		if (!words[i][strspn(words[i], " \t\r\n")])
			continue;
		if (b.len)
			buf_puts(&b, " ");
		buf_puts(&b, words[i]);
	}
	r = b.error;
	if (!r)
		memcpy(ret->text, buf_str(&b), b.len + 1);
	buf_done(&b);
	if (r == -E2BIG)
		return err_set(e, r, "filter", NULL, "the filter has more than %d characters",
			       FILTER_TEXT_MAX);
	return r ? err_set(e, r, "no-memory", NULL, "%s", strerror(-r)) : 0;
}

/* ---- what the bytes that are there cannot answer ---- */

static bool asks_length(const struct bpf_insn *i)
{
	uint16_t class = BPF_CLASS(i->code);

	return (class == BPF_LD || class == BPF_LDX) && BPF_MODE(i->code) == BPF_LEN;
}

/* The byte behind the last that a load with a fixed place looks at; 0 for other instructions. */
static uint64_t reach(const struct bpf_insn *i)
{
	uint16_t class = BPF_CLASS(i->code);

	if (class == BPF_LDX && BPF_MODE(i->code) == BPF_MSH)
		return (uint64_t)i->k + 1;
	if (class != BPF_LD || BPF_MODE(i->code) != BPF_ABS)
		return 0;
	switch (BPF_SIZE(i->code)) {
	case BPF_B:
		return (uint64_t)i->k + 1;
	case BPF_H:
		return (uint64_t)i->k + 2;
	default:
		return (uint64_t)i->k + 4;
	}
}

static int seen_check(const struct bpf_program *p, size_t seen, struct err *e)
{
	if (seen == PCAP_FILTER_WHOLE)
		return 0;
	for (unsigned int i = 0; i < p->bf_len; i++) {
		const struct bpf_insn *insn = &p->bf_insns[i];

		if (asks_length(insn))
			return err_set(e, -EINVAL, "filter", NULL,
				       "a packet's length (len, less, greater) cannot be asked for "
				       "here, where only its first %zu bytes are looked at: "
				       "ask for ip[2:2], the length in its IPv4 header",
				       seen);
		if (reach(insn) > seen)
			return err_set(e, -EINVAL, "filter", NULL,
				       "the filter asks for byte %llu of the frame; here only the "
				       "first %zu are looked at",
				       (unsigned long long)reach(insn) - 1, seen);
	}
	return 0;
}

/* ---- libpcap ---- */

static int program_take(const struct bpf_program *p, size_t seen, struct pcap_filter *ret,
			struct err *e)
{
	if (p->bf_len > PATH_FILTER_MAX)
		return err_set(e, -E2BIG, "filter", NULL,
			       "the filter is too long: it makes %u instructions, at most %d fit",
			       p->bf_len, PATH_FILTER_MAX);
	memcpy(ret->insns, p->bf_insns, p->bf_len * sizeof(ret->insns[0]));
	ret->n = p->bf_len;
	return seen_check(p, seen, e);
}

/* Long filters would push what is wrong with them off the line. */
#define WHERE_MAX 80

static int compile(pcap_t *pcap, size_t seen, struct pcap_filter *ret, struct err *e)
{
	const char *where = strlen(ret->text) > WHERE_MAX ? "filter" : ret->text;
	struct bpf_program p;
	int r;

	if (pcap_compile(pcap, &p, ret->text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return err_set(
			e, -EINVAL, "filter", where,
			"%s (filters are written as for tcpdump, for instance: icmp, "
			"\"tcp port 443\", \"host 8.8.8.8 and not arp\"; see pcap-filter(7))",
			pcap_geterr(pcap));
	r = program_take(&p, seen, ret, e);
	pcap_freecode(&p);
	return r;
}

static int text_compile(size_t seen, struct pcap_filter *ret, struct err *e)
{
	_cleanup_(freep) struct filter_tokens *tokens = malloc(sizeof(*tokens));
	pcap_t *pcap;
	int r;

	r = tokens ? filter_words_check(ret->text, tokens, e) : -ENOMEM;
	if (r)
		return r;
	/* The likeliest slip, of which libpcap only says "syntax error". */
	if (tokens->items[0].kind == FILTER_ADDRESS)
		return err_set(
			e, -EINVAL, "filter", tokens->items[0].text,
			"what about this address? Say \"host %s\", \"src ...\", \"dst ...\" or "
			"\"ether host ...\"",
			tokens->items[0].text);
	pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);
	if (!pcap)
		return -ENOMEM;
	r = compile(pcap, seen, ret, e);
	pcap_close(pcap);
	return r;
}

int pcap_filter_compile(const char *const *words, size_t n_words, size_t seen,
			struct pcap_filter *ret, struct err *e)
{
	_cleanup_(freep) struct pcap_filter *f = calloc(1, sizeof(*f));
	int r;

	r = f ? join(words, n_words, f, e) : -ENOMEM;
	if (!r && f->text[0])
		r = text_compile(seen, f, e);
	if (r == -ENOMEM)
		return err_set(e, r, "no-memory", NULL, "%s", strerror(ENOMEM));
	if (!r)
		*ret = *f;
	return r;
}

bool pcap_filter_matches(const struct pcap_filter *f, const void *frame, size_t len,
			 size_t whole_len)
{
	if (!f->n)
		return true;
	return bpf_filter((const struct bpf_insn *)(const void *)f->insns, frame,
			  (unsigned int)whole_len, (unsigned int)len) != 0;
}
