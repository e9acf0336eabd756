/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dhcp4.c - DHCPv4 messages, see dhcp4.h.
 *
 * One table of options drives parsing and building, so that both agree on every option's form. Does
 * not judge whether a message makes sense for its sender: lease/decide.c is next.
 */
#include "wire/dhcp4.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include "base/cursor.h"
#include "base/macro.h"

#define MAGIC_COOKIE 0x63825363u /* RFC 2131 section 3 */
#define FLAG_BROADCAST 0x8000
#define HTYPE_ETHER 1
#define CHADDR_LEN 16
#define SNAME_LEN 64
#define FILE_LEN 128
#define FIXED_LEN 240 /* with the magic cookie */
#define MESSAGE_MIN 300
#define DATAGRAM_MIN 576  /* RFC 2132 9.10: what every client takes, as an IP datagram */
#define IP_UDP_HEADERS 28 /* of it */

enum {
	OPT_PAD = 0,
	OPT_MASK = 1,
	OPT_ROUTER = 3,
	OPT_DNS = 6,
	OPT_HOSTNAME = 12,
	OPT_DOMAIN = 15,
	OPT_MTU = 26,
	OPT_BROADCAST = 28,
	OPT_REQUESTED = 50,
	OPT_LEASE = 51,
	OPT_OVERLOAD = 52,
	OPT_TYPE = 53,
	OPT_SERVER_ID = 54,
	OPT_PARAMS = 55,
	OPT_MESSAGE = 56,
	OPT_MAX_SIZE = 57,
	OPT_RENEW = 58,
	OPT_REBIND = 59,
	OPT_VENDOR_CLASS = 60,
	OPT_CLIENT_ID = 61,
	OPT_FQDN = 81,
	OPT_AGENT_INFO = 82,
	OPT_END = 255,
};

enum option_kind {
	KIND_TYPE,    /* one byte, enum dhcp4_type */
	KIND_IP4,     /* one address */
	KIND_IP4_1ST, /* a list of addresses, of which the first is kept */
	KIND_IP4S,    /* a list of addresses */
	KIND_U16,
	KIND_U32,
	KIND_BYTES, /* as sent; too long for its place: left out */
	KIND_CUT,   /* as sent; too long for its place: the first of it */
	KIND_NAME,  /* letters, digits, '-', '.' */
	KIND_TEXT,  /* printable ASCII */
};

/**
 * struct option_spec - where an option lives in struct dhcp4_msg
 * @code:	RFC 2132
 * @kind:	its form
 * @needed:	a reply without it is of no use: it is never left out for want of room
 * @at:		offset of the value
 * @n_at:	offset of the count of bytes or addresses (size_t); lists and bytes only
 * @max:	capacity: bytes (with the NUL of text) or addresses
 */
struct option_spec {
	uint8_t code;
	enum option_kind kind;
	bool needed;
	size_t at;
	size_t n_at;
	size_t max;
};

#define AT(field) .at = offsetof(struct dhcp4_msg, field)
#define COUNT_AT(field) .n_at = offsetof(struct dhcp4_msg, field)
#define MAX_OF(field) .max = sizeof(((struct dhcp4_msg *)NULL)->field)

/* In the order in which they are sent, and get the room: the most important first. */
static const struct option_spec options[] = {
	{OPT_TYPE, KIND_TYPE, true, AT(type)},
	{OPT_SERVER_ID, KIND_IP4, true, AT(server_id)},
	{OPT_LEASE, KIND_U32, true, AT(lease_s)},
	{OPT_RENEW, KIND_U32, true, AT(renew_s)},
	{OPT_REBIND, KIND_U32, true, AT(rebind_s)},
	{OPT_REQUESTED, KIND_IP4, true, AT(requested)},
	{OPT_MASK, KIND_IP4, true, AT(mask)},
	{OPT_ROUTER, KIND_IP4_1ST, true, AT(router)},
	{OPT_CLIENT_ID, KIND_BYTES, true, AT(client_id), COUNT_AT(client_id_len),
	 MAX_OF(client_id)},
	{OPT_MAX_SIZE, KIND_U16, false, AT(max_size)},
	{OPT_MESSAGE, KIND_TEXT, false, AT(message), 0, MAX_OF(message)},
	{OPT_DNS, KIND_IP4S, false, AT(dns), COUNT_AT(n_dns), DHCP4_DNS_MAX},
	{OPT_MTU, KIND_U16, false, AT(mtu)},
	{OPT_BROADCAST, KIND_IP4, false, AT(broadcast_addr)},
	{OPT_HOSTNAME, KIND_NAME, false, AT(hostname), 0, MAX_OF(hostname)},
	{OPT_DOMAIN, KIND_NAME, false, AT(domain), 0, MAX_OF(domain)},
	{OPT_PARAMS, KIND_CUT, false, AT(params), COUNT_AT(n_params), MAX_OF(params)},
	{OPT_VENDOR_CLASS, KIND_TEXT, false, AT(vendor_class), 0, MAX_OF(vendor_class)},
};

static const struct option_spec agent_info = {
	OPT_AGENT_INFO,		  KIND_BYTES,	     true, AT(agent_info),
	COUNT_AT(agent_info_len), MAX_OF(agent_info)};

static const char *const type_names[] = {
	[DHCP4_DISCOVER] = "DISCOVER", [DHCP4_OFFER] = "OFFER",	  [DHCP4_REQUEST] = "REQUEST",
	[DHCP4_DECLINE] = "DECLINE",   [DHCP4_ACK] = "ACK",	  [DHCP4_NAK] = "NAK",
	[DHCP4_RELEASE] = "RELEASE",   [DHCP4_INFORM] = "INFORM",
};
static_assert(ARRAY_SIZE(type_names) == DHCP4_TYPE_COUNT, "a name for every message type");

const char *dhcp4_type_name(enum dhcp4_type t)
{
	if ((size_t)t >= ARRAY_SIZE(type_names) || !type_names[t])
		return "?";
	return type_names[t];
}

bool dhcp4_is_probe(const struct dhcp4_msg *m)
{
	return m->type == DHCP4_DISCOVER && strcmp(m->vendor_class, DHCP4_PROBE_CLASS) == 0;
}

/*
 * Parsing. The fields that may hold options are read in the order that RFC 3396 section 5 gives:
 * options, file, sname. An option that is there several times is one option, cut in pieces.
 */
enum { REGION_OPTIONS, REGION_FILE, REGION_SNAME, REGION_COUNT };

/**
 * struct option_area - where the options of a message are
 * @regions:	REGION_FILE and REGION_SNAME are empty unless option 52 says that they hold options
 * @present:	by option code
 */
struct option_area {
	struct cursor regions[REGION_COUNT];
	bool present[256];
};

/* One option off @c: 1 with its value in @ret, 0 at the end, -EBADMSG when it overruns. */
static int option_next(struct cursor *c, uint8_t *ret_code, struct cursor *ret)
{
	uint8_t code = OPT_PAD;
	struct cursor value;

	while (code == OPT_PAD) {
		if (c->left == 0)
			return 0;
		code = cursor_u8(c);
	}
	if (code == OPT_END)
		return 0;
	value = cursor_sub(c, cursor_u8(c));
	if (!cursor_ok(c))
		return -EBADMSG;
	*ret_code = code;
	*ret = value;
	return 1;
}

/* Check one region and note which options it has; @ret_overload (may be NULL) is option 52. */
static int region_scan(struct option_area *a, size_t region, uint8_t *ret_overload)
{
	struct cursor c = a->regions[region];
	struct cursor value;
	uint8_t code;
	int r;

	while ((r = option_next(&c, &code, &value)) > 0) {
		a->present[code] = true;
		if (code != OPT_OVERLOAD || !ret_overload)
			continue;
		if (value.left != 1 || *ret_overload || value.p[0] < 1 || value.p[0] > 3)
			return -EBADMSG;
		*ret_overload = value.p[0];
	}
	return r;
}

static int option_area_init(struct option_area *a, struct cursor opts, struct cursor file,
			    struct cursor sname)
{
	uint8_t overload = 0;
	int r;

	*a = (struct option_area){.regions = {[REGION_OPTIONS] = opts}};
	r = region_scan(a, REGION_OPTIONS, &overload);
	if (r == 0 && (overload & 1)) {
		a->regions[REGION_FILE] = file;
		r = region_scan(a, REGION_FILE, NULL);
	}
	if (r == 0 && (overload & 2)) {
		a->regions[REGION_SNAME] = sname;
		r = region_scan(a, REGION_SNAME, NULL);
	}
	return r;
}

/* All pieces of option @code joined (RFC 3396); -EBADMSG when that is longer than any message. */
static int option_join(const struct option_area *a, uint8_t code, uint8_t buf[static DHCP4_MSG_MAX],
		       struct cursor *ret)
{
	struct writer w = writer_init(buf, DHCP4_MSG_MAX);

	for (size_t i = 0; i < REGION_COUNT; i++) {
		struct cursor c = a->regions[i];
		struct cursor value;
		uint8_t found;

		while (option_next(&c, &found, &value) > 0) {
			if (found == code)
				writer_bytes(&w, value.p, value.left);
		}
	}
	if (w.bad)
		return -EBADMSG;
	*ret = cursor_init(buf, w.len);
	return 0;
}

static bool name_char(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       c == '-' || c == '.';
}

static bool name_edge(char c)
{
	return c == '-' || c == '.';
}

/* What a host name may have; never an empty label; no '-' or '.' first or last. */
static void name_read(struct cursor c, char *out, size_t size)
{
	size_t n = 0;

	while (c.left > 0 && n + 1 < size) {
		uint8_t b = cursor_u8(&c);

		if (!name_char(b) || (name_edge((char)b) && n == 0) ||
		    (b == '.' && out[n - 1] == '.'))
			continue;
		out[n++] = (char)b;
	}
	while (n > 0 && name_edge(out[n - 1]))
		n--;
	memset(out + n, 0, size - n);
}

static void text_read(struct cursor c, char *out, size_t size)
{
	size_t n = 0;

	while (c.left > 0 && n + 1 < size) {
		uint8_t b = cursor_u8(&c);

		if (b >= ' ' && b <= '~')
			out[n++] = (char)b;
	}
	memset(out + n, 0, size - n);
}

static int type_read(struct cursor c, struct dhcp4_msg *m)
{
	uint8_t type = cursor_u8(&c);

	if (!cursor_ok(&c) || c.left > 0 || type == 0)
		return -EBADMSG;
	if (type >= DHCP4_TYPE_COUNT)
		return -EPROTONOSUPPORT;
	m->type = (enum dhcp4_type)type;
	return 0;
}

static int ip4s_read(const struct option_spec *o, struct cursor c, void *at, size_t *ret_n)
{
	size_t n = c.left / sizeof(struct in_addr);

	if (n == 0 || c.left % sizeof(struct in_addr) != 0)
		return -EBADMSG;
	n = size_min(n, o->max);
	cursor_copy(&c, at, n * sizeof(struct in_addr));
	if (ret_n)
		*ret_n = n;
	return 0;
}

static int bytes_read(const struct option_spec *o, struct cursor c, void *at, size_t *ret_n)
{
	size_t n = size_min(c.left, o->max);

	if (c.left > o->max && o->kind == KIND_BYTES)
		return 0; /* longer than one option: nothing that we could echo */
	cursor_copy(&c, at, n);
	*ret_n = n;
	return 0;
}

static int value_read(const struct option_spec *o, struct cursor c, struct dhcp4_msg *m)
{
	struct option_spec first = *o;
	uint8_t *at = (uint8_t *)m + o->at;
	size_t *n = (size_t *)(void *)((uint8_t *)m + o->n_at);

	switch (o->kind) {
	case KIND_TYPE:
		return type_read(c, m);
	case KIND_IP4:
		return cursor_copy(&c, at, sizeof(struct in_addr)) && c.left == 0 ? 0 : -EBADMSG;
	case KIND_IP4_1ST:
		first.max = 1;
		return ip4s_read(&first, c, at, NULL);
	case KIND_IP4S:
		return ip4s_read(o, c, at, n);
	case KIND_U16:
		*(uint16_t *)(void *)at = cursor_be16(&c);
		return cursor_ok(&c) && c.left == 0 ? 0 : -EBADMSG;
	case KIND_U32:
		*(uint32_t *)(void *)at = cursor_be32(&c);
		return cursor_ok(&c) && c.left == 0 ? 0 : -EBADMSG;
	case KIND_BYTES:
	case KIND_CUT:
		return bytes_read(o, c, at, n);
	case KIND_NAME:
		name_read(c, (char *)at, o->max);
		return 0;
	case KIND_TEXT:
		text_read(c, (char *)at, o->max);
		return 0;
	}
	return 0;
}

/* RFC 4702 section 2: flags, two result codes, then the name, as text or as DNS labels (flag E). */
static void fqdn_read(struct cursor c, struct dhcp4_msg *m)
{
	uint8_t flags = cursor_u8(&c);
	uint8_t text[DHCP4_MSG_MAX];
	struct writer w = writer_init(text, sizeof(text));

	cursor_be16(&c);
	if (!cursor_ok(&c))
		return;
	if (!(flags & 0x04)) {
		name_read(c, m->hostname, sizeof(m->hostname));
		return;
	}
	while (c.left > 0) {
		struct cursor label = cursor_sub(&c, cursor_u8(&c));

		if (!cursor_ok(&label))
			return;
		writer_bytes(&w, label.p, label.left);
		writer_u8(&w, '.');
	}
	if (!w.bad)
		name_read(cursor_init(text, w.len), m->hostname, sizeof(m->hostname));
}

static int option_read(const struct option_area *a, const struct option_spec *o,
		       struct dhcp4_msg *m)
{
	uint8_t joined[DHCP4_MSG_MAX];
	struct cursor value;
	int r;

	if (!a->present[o->code])
		return 0;
	r = option_join(a, o->code, joined, &value);
	return r < 0 ? r : value_read(o, value, m);
}

static int options_read(const struct option_area *a, struct dhcp4_msg *m)
{
	uint8_t joined[DHCP4_MSG_MAX];
	struct cursor value;
	int r;

	if (!a->present[OPT_TYPE])
		return -EPROTONOSUPPORT;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		r = option_read(a, &options[i], m);
		if (r < 0)
			return r;
	}
	r = option_read(a, &agent_info, m);
	if (r < 0 || m->hostname[0] || !a->present[OPT_FQDN])
		return r;
	r = option_join(a, OPT_FQDN, joined, &value);
	if (r == 0)
		fqdn_read(value, m);
	return r;
}

static void read_ip4(struct cursor *c, struct in_addr *ret)
{
	cursor_copy(c, ret, sizeof(*ret));
}

int dhcp4_parse(const void *bytes, size_t len, struct dhcp4_msg *ret)
{
	struct cursor c = cursor_init(bytes, len);
	struct dhcp4_msg m = {.op = cursor_u8(&c)};
	uint8_t htype = cursor_u8(&c);
	uint8_t hlen = cursor_u8(&c);
	struct cursor sname, file;
	struct option_area area;
	int r;

	cursor_u8(&c); /* hops */
	m.xid = cursor_be32(&c);
	m.secs = cursor_be16(&c);
	m.broadcast = cursor_be16(&c) & FLAG_BROADCAST;
	read_ip4(&c, &m.ciaddr);
	read_ip4(&c, &m.yiaddr);
	read_ip4(&c, &m.siaddr);
	read_ip4(&c, &m.giaddr);
	cursor_copy(&c, m.chaddr.b, sizeof(m.chaddr.b));
	cursor_take(&c, CHADDR_LEN - sizeof(m.chaddr.b));
	sname = cursor_sub(&c, SNAME_LEN);
	file = cursor_sub(&c, FILE_LEN);
	if (cursor_be32(&c) != MAGIC_COOKIE || m.op < 1 || m.op > 2)
		return -EBADMSG;
	if (htype != HTYPE_ETHER || hlen != sizeof(m.chaddr.b))
		return -EPROTONOSUPPORT;
	r = option_area_init(&area, c, file, sname);
	if (r == 0)
		r = options_read(&area, &m);
	if (r == 0)
		*ret = m;
	return r;
}

static void write_option(struct writer *w, uint8_t code, const void *value, size_t len)
{
	writer_u8(w, code);
	writer_u8(w, (uint8_t)len);
	writer_bytes(w, value, len);
}

/* An option with its code and length, or nothing when its field is not set. */
static void value_write(struct writer *w, const struct option_spec *o, const struct dhcp4_msg *m)
{
	const uint8_t *at = (const uint8_t *)m + o->at;
	const size_t *n = (const size_t *)(const void *)((const uint8_t *)m + o->n_at);
	uint32_t u32;
	uint16_t u16;
	size_t len;

	switch (o->kind) {
	case KIND_TYPE:
		write_option(w, o->code, &(uint8_t){(uint8_t)m->type}, 1);
		return;
	case KIND_IP4:
	case KIND_IP4_1ST:
		memcpy(&u32, at, sizeof(u32));
		if (u32)
			write_option(w, o->code, at, sizeof(u32));
		return;
	case KIND_U16:
		memcpy(&u16, at, sizeof(u16));
		u16 = htons(u16);
		if (u16)
			write_option(w, o->code, &u16, sizeof(u16));
		return;
	case KIND_U32:
		memcpy(&u32, at, sizeof(u32));
		u32 = htonl(u32);
		if (u32)
			write_option(w, o->code, &u32, sizeof(u32));
		return;
	case KIND_IP4S:
	case KIND_BYTES:
	case KIND_CUT:
		len = *n * (o->kind == KIND_IP4S ? sizeof(struct in_addr) : 1);
		if (len)
			write_option(w, o->code, at, len);
		return;
	case KIND_NAME:
	case KIND_TEXT:
		len = strnlen((const char *)at, o->max - 1);
		if (len)
			write_option(w, o->code, at, len);
		return;
	}
}

/* As value_write(), but all or nothing when there is not enough room. */
static void value_try(struct writer *w, const struct option_spec *o, const struct dhcp4_msg *m)
{
	struct writer before = *w;

	value_write(w, o, m);
	if (w->bad)
		*w = before;
}

/* Does @m carry @o? Option 57 tells what the sender takes: in a reply, that is the client's. */
static bool option_sent(const struct option_spec *o, const struct dhcp4_msg *m)
{
	return o->code != OPT_MAX_SIZE || m->op == 1;
}

/*
 * The needed options, then the others as room allows. The relay's information goes last (RFC 3046
 * section 2.2) and gets its room before those that are not needed.
 */
static void options_write(struct writer *w, const struct dhcp4_msg *m)
{
	size_t agent_len = m->agent_info_len ? 2 + m->agent_info_len : 0;
	size_t end = w->cap;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].needed)
			value_write(w, &options[i], m);
	}
	if (w->bad)
		return;
	if (agent_len <= w->cap - w->len)
		w->cap -= agent_len;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (!options[i].needed && option_sent(&options[i], m))
			value_try(w, &options[i], m);
	}
	w->cap = end;
	value_try(w, &agent_info, m);
}

static void header_write(struct writer *w, const struct dhcp4_msg *m)
{
	writer_u8(w, m->op);
	writer_u8(w, HTYPE_ETHER);
	writer_u8(w, sizeof(m->chaddr.b));
	writer_u8(w, 0); /* hops */
	writer_be32(w, m->xid);
	writer_be16(w, m->secs);
	writer_be16(w, m->broadcast ? FLAG_BROADCAST : 0);
	writer_bytes(w, &m->ciaddr, sizeof(m->ciaddr));
	writer_bytes(w, &m->yiaddr, sizeof(m->yiaddr));
	writer_bytes(w, &m->siaddr, sizeof(m->siaddr));
	writer_bytes(w, &m->giaddr, sizeof(m->giaddr));
	writer_bytes(w, m->chaddr.b, sizeof(m->chaddr.b));
	writer_reserve(w, CHADDR_LEN - sizeof(m->chaddr.b) + SNAME_LEN + FILE_LEN);
	writer_be32(w, MAGIC_COOKIE);
}

/* How long the message may be: the caller's buffer, and what the client said that it takes. */
static size_t build_limit(const struct dhcp4_msg *m, size_t cap)
{
	size_t client = m->max_size > DATAGRAM_MIN ? m->max_size : DATAGRAM_MIN;

	return m->op == 2 ? size_min(cap, client - IP_UDP_HEADERS) : cap;
}

int dhcp4_build(const struct dhcp4_msg *m, void *buf, size_t cap)
{
	struct writer w = writer_init(buf, build_limit(m, cap));

	if (w.cap < MESSAGE_MIN)
		return -ENOBUFS;
	header_write(&w, m);
	w.cap--; /* the end option always has its byte */
	options_write(&w, m);
	w.cap++;
	writer_u8(&w, OPT_END);
	if (w.len < MESSAGE_MIN)
		writer_reserve(&w, MESSAGE_MIN - w.len);
	return w.bad ? -ENOBUFS : (int)w.len;
}
