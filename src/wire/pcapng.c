/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcapng.c - see pcapng.h. Section numbers are those of draft-ietf-opsawg-pcapng.
 */
#include "wire/pcapng.h"

#include <errno.h>
#include <string.h>

/* Section 4: block types */
#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_STATS 5u
#define BLOCK_PACKET 6u

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINKTYPE_ETHERNET 1
#define TSRESOL_NS 9 /* 4.2: a power of ten below the second */

/* Option codes: of all blocks (3.5), and of each block (4.1, 4.2, 4.3, 4.6) */
enum {
	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_HARDWARE = 2,
	SHB_OS = 3,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_DESCRIPTION = 3,
	IF_TSRESOL = 9,
	IF_FILTER = 11,
	EPB_FLAGS = 2,
	EPB_DROPCOUNT = 4,
	EPB_PACKETID = 5,
	ISB_STARTTIME = 2,
	ISB_ENDTIME = 3,
	ISB_IFRECV = 4,
	ISB_OSDROP = 7,
	ISB_USRDELIV = 8,
};

static void put_u16(struct buf *b, uint16_t v)
{
	const uint8_t bytes[2] = {(uint8_t)v, (uint8_t)(v >> 8)};

	buf_append(b, bytes, sizeof(bytes));
}

static void le32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void put_u32(struct buf *b, uint32_t v)
{
	uint8_t bytes[4];

	le32(bytes, v);
	buf_append(b, bytes, sizeof(bytes));
}

static void put_u64(struct buf *b, uint64_t v)
{
	put_u32(b, (uint32_t)v);
	put_u32(b, (uint32_t)(v >> 32));
}

/* Times are two words, the upper one first (4.3), unlike other numbers of 64 bits. */
static void put_time(struct buf *b, uint64_t ns)
{
	put_u32(b, (uint32_t)(ns >> 32));
	put_u32(b, (uint32_t)ns);
}

/* All begins at multiples of 32 bits, counted from the block's beginning. */
static void pad(struct buf *b, size_t written)
{
	static const uint8_t zeros[3];

	buf_append(b, zeros, (4 - written % 4) % 4);
}

/* ---- blocks (3.1) ---- */

static size_t block_begin(struct buf *b, uint32_t type)
{
	size_t start = b->len;

	put_u32(b, type);
	put_u32(b, 0); /* the length, when it is known */
	return start;
}

static int block_end(struct buf *b, size_t start)
{
	size_t len = b->len - start + 4;

	put_u32(b, (uint32_t)len);
	if (b->error) {
		b->len = start;
		if (b->data)
			b->data[start] = '\0';
		return b->error;
	}
	le32((uint8_t *)b->data + start + 4, (uint32_t)len);
	return 0;
}

/* ---- options (3.5) ---- */

static void option_begin(struct buf *b, uint16_t code, size_t len)
{
	put_u16(b, code);
	put_u16(b, (uint16_t)len);
}

static void option_u32(struct buf *b, uint16_t code, uint32_t v)
{
	option_begin(b, code, 4);
	put_u32(b, v);
}

static void option_u64(struct buf *b, uint16_t code, uint64_t v)
{
	option_begin(b, code, 8);
	put_u64(b, v);
}

static void option_time(struct buf *b, uint16_t code, uint64_t ns)
{
	option_begin(b, code, 8);
	put_time(b, ns);
}

static bool continues(uint8_t byte, uint8_t min, uint8_t max)
{
	return byte >= min && byte <= max;
}

/*
 * How many bytes the UTF-8 character at @p (NUL-terminated) has; 0 when it is none (RFC 3629 section
 * 4: no overlong forms, no surrogates, nothing past U+10FFFF).
 */
static size_t utf8_len(const uint8_t *p)
{
	if (p[0] < 0x80)
		return 1;
	if (continues(p[0], 0xc2, 0xdf))
		return continues(p[1], 0x80, 0xbf) ? 2 : 0;
	if (continues(p[0], 0xe0, 0xef)) {
		uint8_t min = p[0] == 0xe0 ? 0xa0 : 0x80;
		uint8_t max = p[0] == 0xed ? 0x9f : 0xbf;

		return continues(p[1], min, max) && continues(p[2], 0x80, 0xbf) ? 3 : 0;
	}
	if (continues(p[0], 0xf0, 0xf4)) {
		uint8_t min = p[0] == 0xf0 ? 0x90 : 0x80;
		uint8_t max = p[0] == 0xf4 ? 0x8f : 0xbf;

		return continues(p[1], min, max) && continues(p[2], 0x80, 0xbf) &&
				       continues(p[3], 0x80, 0xbf)
			       ? 4
			       : 0;
	}
	return 0;
}

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static void put_text(struct buf *b, const char *text)
{
	while (*text) {
		size_t len = utf8_len((const uint8_t *)text);

		if (len)
			buf_append(b, text, len);
		else
			buf_puts(b, REPLACEMENT);
		text += len ? len : 1;
	}
}

static size_t text_len(const char *text)
{
	size_t n = 0;

	while (*text) {
		size_t len = utf8_len((const uint8_t *)text);

		n += len ? len : sizeof(REPLACEMENT) - 1;
		text += len ? len : 1;
	}
	return n;
}

static void option_text(struct buf *b, uint16_t code, const char *text)
{
	size_t len;

	if (!text || !*text)
		return;
	len = text_len(text);
	option_begin(b, code, len);
	put_text(b, text);
	pad(b, len);
}

/* Asked before anything is built, so that a text too long does not stick to the buffer. */
static int texts_check(const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (texts[i] && strnlen(texts[i], PCAPNG_TEXT_MAX + 1) > PCAPNG_TEXT_MAX)
			return -E2BIG;
	return 0;
}

/* ---- the blocks ---- */

int pcapng_section_build(const struct pcapng_section *s, struct buf *b)
{
	const char *const texts[] = {s->comment, s->hardware, s->os, s->application};
	size_t start;
	int r;

	r = texts_check(texts, ARRAY_SIZE(texts));
	if (r)
		return r;
	start = block_begin(b, BLOCK_SECTION);
	put_u32(b, BYTE_ORDER_MAGIC);
	put_u16(b, 1); /* version 1.0 */
	put_u16(b, 0);
	put_u64(b, UINT64_MAX); /* the section's length: not known before its end */
	option_text(b, OPT_COMMENT, s->comment);
	option_text(b, SHB_HARDWARE, s->hardware);
	option_text(b, SHB_OS, s->os);
	option_text(b, SHB_USERAPPL, s->application);
	option_begin(b, OPT_END, 0);
	return block_end(b, start);
}

/* if_filter (4.2): its first byte, 0, says that the text is a filter of libpcap. */
static void option_filter(struct buf *b, const char *filter)
{
	size_t len;

	if (!filter || !*filter)
		return;
	len = 1 + text_len(filter);
	option_begin(b, IF_FILTER, len);
	buf_append(b, "\0", 1);
	put_text(b, filter);
	pad(b, len);
}

int pcapng_interface_build(const struct pcapng_interface *i, struct buf *b)
{
	const char *const texts[] = {i->name, i->description, i->filter};
	static const uint8_t tsresol[4] = {TSRESOL_NS};
	size_t start;
	int r;

	r = texts_check(texts, ARRAY_SIZE(texts));
	if (r)
		return r;
	start = block_begin(b, BLOCK_INTERFACE);
	put_u16(b, LINKTYPE_ETHERNET);
	put_u16(b, 0);
	put_u32(b, PCAPNG_SNAPLEN);
	option_text(b, IF_NAME, i->name);
	option_text(b, IF_DESCRIPTION, i->description);
	option_begin(b, IF_TSRESOL, 1);
	buf_append(b, tsresol, sizeof(tsresol));
	option_filter(b, i->filter);
	option_begin(b, OPT_END, 0);
	return block_end(b, start);
}

static void packet_options(const struct pcapng_packet *p, struct buf *b)
{
	option_text(b, OPT_COMMENT, p->comment);
	if (p->direction)
		option_u32(b, EPB_FLAGS, p->direction);
	if (p->drops)
		option_u64(b, EPB_DROPCOUNT, p->drops);
	if (p->has_id)
		option_u64(b, EPB_PACKETID, p->id);
	option_begin(b, OPT_END, 0);
}

int pcapng_packet_build(const struct pcapng_packet *p, struct buf *b)
{
	size_t whole_len = p->whole_len ? p->whole_len : p->len;
	size_t start;
	int r;

	if (whole_len < p->len)
		return -EINVAL;
	if (p->len > PCAPNG_SNAPLEN || whole_len > UINT32_MAX)
		return -E2BIG;
	r = texts_check(&p->comment, 1);
	if (r)
		return r;
	start = block_begin(b, BLOCK_PACKET);
	put_u32(b, p->interface);
	put_time(b, p->time_ns);
	put_u32(b, (uint32_t)p->len);
	put_u32(b, (uint32_t)whole_len);
	if (p->len)
		buf_append(b, p->bytes, p->len);
	pad(b, p->len);
	packet_options(p, b);
	return block_end(b, start);
}

int pcapng_stats_build(const struct pcapng_stats *s, struct buf *b)
{
	size_t start = block_begin(b, BLOCK_STATS);

	put_u32(b, s->interface);
	put_time(b, s->end_ns);
	option_time(b, ISB_STARTTIME, s->start_ns);
	option_time(b, ISB_ENDTIME, s->end_ns);
	if (s->counted) {
		option_u64(b, ISB_IFRECV, s->received);
		option_u64(b, ISB_OSDROP, s->dropped);
	}
	option_u64(b, ISB_USRDELIV, s->delivered);
	option_begin(b, OPT_END, 0);
	return block_end(b, start);
}
