/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.c - see request.h. It knows neither routes nor HTTP; next on the walk: routes.c. */
#include "api/request.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/addr.h"
#include "base/text.h"
#include "model/policy.h"

/* One byte of a path, percent-decoded; moves *p past it. -EINVAL for a broken escape. */
static int path_byte(const char **p)
{
	int hi, lo;

	if (**p != '%')
		return (unsigned char)*(*p)++;
	hi = text_hex_digit((*p)[1]);
	lo = hi < 0 ? -1 : text_hex_digit((*p)[2]);
	if (lo < 0)
		return -EINVAL;
	*p += 3;
	return hi << 4 | lo;
}

/* Names are printable ASCII: what is not can only be a mistake, or an attempt on logs and paths. */
static bool name_byte_ok(int c, size_t at)
{
	return c > 0x20 && c < 0x7f && c != '/' && (at > 0 || c != '.');
}

static bool name_plausible(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (i >= REQUEST_SEGMENT_LEN || !name_byte_ok((unsigned char)name[i], i))
			return false;
	return i > 0;
}

static int segment_parse(const char **p, char *seg, struct err_list *errs)
{
	size_t len = 0;

	while (**p && **p != '/') {
		int c = path_byte(p);

		if (c < 0)
			return err_add(
				errs, -EINVAL, "bad-path", "",
				"the path has a '%%' without two hex digits behind it; write "
				"'%%' itself as %%25");
		if (!name_byte_ok(c, len))
			return err_add(
				errs, -EINVAL, "bad-name", "",
				"a name in the path has byte 0x%02x at position %zu; names are "
				"letters, digits, '_', '.' and '-'",
				(unsigned int)c, len + 1);
		if (len == REQUEST_SEGMENT_LEN)
			return err_add(errs, -EINVAL, "bad-name", "",
				       "a name in the path is longer than %d letters",
				       REQUEST_SEGMENT_LEN);
		seg[len++] = (char)c;
	}
	seg[len] = '\0';
	return len ? 0 : -ENOENT;
}

int request_path_parse(const char *path, struct request_path *ret, struct err_list *errs)
{
	struct request_path p = {.n = 0};
	int r;

	while (*path == '/') {
		path++;
		if (p.n == REQUEST_SEGMENTS_MAX)
			return -ENOENT;
		r = segment_parse(&path, p.seg[p.n], errs);
		if (r < 0)
			return r;
		p.n++;
	}
	if (*path)
		return -ENOENT;
	*ret = p;
	return 0;
}

static int flag_parse(const char *text, size_t len, bool *ret)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"1", true}, {"true", true}, {"0", false}, {"false", false}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strlen(words[i].word) == len && memcmp(words[i].word, text, len) == 0) {
			*ret = words[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

static int confirm_parse(const char *text, size_t len, unsigned int *ret)
{
	unsigned int v = 0;

	if (len == 0 || len > 4)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		v = v * 10 + (unsigned int)(text[i] - '0');
	}
	if (v < 1 || v > CONFIRM_MAX_S)
		return -EINVAL;
	*ret = v;
	return 0;
}

/* One parameter, @len bytes; the bit of which it is, 0 for none that is known. */
static unsigned int parameter_parse(const char *text, size_t len, unsigned int known,
				    struct change_options *o, int *ret_error)
{
	static const char force[] = "force=", confirm[] = "confirm=";

	if ((known & QUERY_FORCE) && len >= sizeof(force) - 1 &&
	    memcmp(text, force, sizeof(force) - 1) == 0) {
		*ret_error =
			flag_parse(text + sizeof(force) - 1, len - sizeof(force) + 1, &o->force);
		return QUERY_FORCE;
	}
	if ((known & QUERY_CONFIRM) && len >= sizeof(confirm) - 1 &&
	    memcmp(text, confirm, sizeof(confirm) - 1) == 0) {
		*ret_error = confirm_parse(text + sizeof(confirm) - 1, len - sizeof(confirm) + 1,
					   &o->confirm_s);
		return QUERY_CONFIRM;
	}
	return 0;
}

static const char *known_words(unsigned int known)
{
	if (known & QUERY_CONFIRM)
		return "there are only force=1 and confirm=SECONDS";
	return known ? "there is only force=1" : "there are none";
}

int request_query_parse(const char *query, unsigned int known, struct change_options *ret,
			struct err_list *errs)
{
	struct change_options o = {0};
	unsigned int seen = 0;

	while (query && *query) {
		size_t len = strcspn(query, "&");
		int error = 0;
		unsigned int which = parameter_parse(query, len, known, &o, &error);
		const char *name = which == QUERY_CONFIRM ? "confirm" : "force";

		if (!which)
			return err_add(errs, -EINVAL, "bad-query", "",
				       "a parameter behind '?' is not known here; %s",
				       known_words(known));
		if (seen & which)
			return err_add(errs, -EINVAL, "bad-query", name, "given twice");
		if (error < 0)
			return err_add(errs, -EINVAL, "bad-query", name, "expected %s",
				       which == QUERY_CONFIRM ? "seconds from 1 to 3600"
							      : "1 or 0");
		seen |= which;
		query += len;
		query += *query == '&';
	}
	*ret = o;
	return 0;
}

enum field_kind {
	FIELD_NAME,
	FIELD_MAC,
	FIELD_NUMBER,
	FIELD_BOOL,
	FIELD_TEXT,
	FIELD_KIND_COUNT,
};

/*
 * struct body_field - one key: where its value goes in struct request_body, what it may be, and in
 * which bodies it may or must stand (bits 1 << enum request_body_kind).
 */
struct body_field {
	const char *key;
	enum field_kind kind;
	size_t offset;
	unsigned int allowed;
	unsigned int required;
	int64_t min;
	int64_t max;
};

#define IN(kind) (1u << (kind))
#define AT(field) offsetof(struct request_body, field)

static const struct body_field fields[] = {
	{"name", FIELD_NAME, AT(name), IN(BODY_GUEST), IN(BODY_GUEST), 0, 0},
	{"network", FIELD_NAME, AT(network), IN(BODY_GUEST) | IN(BODY_OPEN),
	 IN(BODY_GUEST) | IN(BODY_OPEN), 0, 0},
	{"mac", FIELD_MAC, AT(mac), IN(BODY_GUEST) | IN(BODY_OPEN), 0, 0, 0},
	{"owner", FIELD_NUMBER, AT(owner), IN(BODY_GUEST), 0, 0, UINT32_MAX - 1},
	{"queues", FIELD_NUMBER, AT(queues), IN(BODY_GUEST) | IN(BODY_OPEN), 0, 1, API_FDS_MAX},
	{"pid", FIELD_NUMBER, AT(pid), IN(BODY_OPEN), 0, 1, REQUEST_PID_MAX},
	{"rule", FIELD_TEXT, AT(rule), IN(BODY_RULE), IN(BODY_RULE), 0, 0},
	{"position", FIELD_NUMBER, AT(position), IN(BODY_RULE), 0, 1, POLICY_RULES_MAX},
	{"force", FIELD_BOOL, AT(force), IN(BODY_APPLY), 0, 0, 0},
	{"confirm", FIELD_NUMBER, AT(confirm), IN(BODY_APPLY), 0, 1, CONFIRM_MAX_S},
};

static int field_name(const struct body_field *f, const json_t *v, void *at, struct err_list *errs)
{
	const char *text = json_string_value(v);

	if (!text || !name_plausible(text))
		return err_add(errs, -EINVAL, "bad-value", f->key,
			       "expected a name: letters, digits, '_', '.' and '-'");
	*(const char **)at = text;
	return 0;
}

static int field_mac(const struct body_field *f, const json_t *v, void *at, struct err_list *errs)
{
	const char *text = json_string_value(v);
	struct mac m;

	if (!text || (text[0] && mac_parse(text, &m) < 0))
		return err_add(errs, -EINVAL, "bad-value", f->key,
			       "expected a MAC address like \"52:54:00:12:34:56\"");
	*(const char **)at = text;
	return 0;
}

static int field_number(const struct body_field *f, const json_t *v, void *at,
			struct err_list *errs)
{
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < f->min || n > f->max)
		return err_add(errs, -EINVAL, "bad-value", f->key,
			       "expected a whole number from %lld to %lld", (long long)f->min,
			       (long long)f->max);
	*(int64_t *)at = n;
	return 0;
}

static int field_bool(const struct body_field *f, const json_t *v, void *at, struct err_list *errs)
{
	if (!json_is_boolean(v))
		return err_add(errs, -EINVAL, "bad-value", f->key, "expected true or false");
	*(bool *)at = json_is_true(v);
	return 0;
}

static int field_text(const struct body_field *f, const json_t *v, void *at, struct err_list *errs)
{
	if (!json_is_string(v))
		return err_add(errs, -EINVAL, "bad-value", f->key, "expected a text");
	*(const char **)at = json_string_value(v);
	return 0;
}

static int (*const field_readers[])(const struct body_field *f, const json_t *v, void *at,
				    struct err_list *errs) = {
	[FIELD_NAME] = field_name, [FIELD_MAC] = field_mac,   [FIELD_NUMBER] = field_number,
	[FIELD_BOOL] = field_bool, [FIELD_TEXT] = field_text,
};
static_assert(ARRAY_SIZE(field_readers) == FIELD_KIND_COUNT, "every kind of field has its reader");

static const struct body_field *field_find(const char *key, enum request_body_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if ((fields[i].allowed & IN(kind)) && strcmp(fields[i].key, key) == 0)
			return &fields[i];
	return NULL;
}

/* A client's text in our words: control characters would forge lines in logs and terminals. */
static const char *show(const char *text, char buf[static 64])
{
	snprintf(buf, 64, "%s", text);
	for (char *p = buf; *p; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
			*p = '?';
	return buf;
}

static int unknown_key(const char *key, enum request_body_kind kind, struct err_list *errs)
{
	const char *words[ARRAY_SIZE(fields)];
	const char *near;
	char shown[64];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].allowed & IN(kind))
			words[n++] = fields[i].key;
	near = text_suggest(key, words, n);
	show(key, shown);
	if (near)
		return err_add(errs, -EINVAL, "unknown-key", shown,
			       "unknown key '%s'; did you mean '%s'?", shown, near);
	return err_add(errs, -EINVAL, "unknown-key", shown,
		       n ? "unknown key '%s'" : "unknown key '%s': this request takes no body",
		       shown);
}

static int read_fields(struct request_body *b, enum request_body_kind kind, struct err_list *errs)
{
	const struct body_field *f;
	const char *key;
	json_t *v;
	int r = 0;

	json_object_foreach (b->json, key, v) {
		f = field_find(key, kind);
		if (!f)
			r = unknown_key(key, kind, errs);
		else if (!json_is_null(v) &&
			 field_readers[f->kind](f, v, (char *)b + f->offset, errs) < 0)
			r = -EINVAL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		f = &fields[i];
		v = json_object_get(b->json, f->key);
		if ((f->required & IN(kind)) && (!v || json_is_null(v)))
			r = err_add(errs, -EINVAL, "missing-key", f->key, "this key is required");
	}
	return r;
}

static int json_read(const char *text, size_t len, json_t **ret, struct err_list *errs)
{
	char where[64];
	json_error_t e;
	json_t *j;

	if (len == 0) {
		text = "{}";
		len = 2;
	}
	/* Nesting is bounded by jansson's own 2048 levels. */
	j = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
	if (!j) {
		snprintf(where, sizeof(where), "request:%d:%d", e.line, e.column);
		return err_add(errs, -EINVAL, "bad-json", where, "not JSON: %s", e.text);
	}
	if (!json_is_object(j)) {
		json_decref(j);
		return err_add(errs, -EINVAL, "bad-json", "request:1:1",
			       "expected an object: {...}");
	}
	*ret = j;
	return 0;
}

int request_body_parse(const char *text, size_t len, enum request_body_kind kind,
		       struct request_body *ret, struct err_list *errs)
{
	struct request_body b = {.mac = "", .owner = -1, .queues = 1};
	int r;

	r = json_read(text, len, &b.json, errs);
	if (r < 0)
		return r;
	r = read_fields(&b, kind, errs);
	if (r < 0) {
		request_body_done(&b);
		return r;
	}
	*ret = b;
	return 0;
}

void request_body_done(struct request_body *b)
{
	json_decref(b->json);
	b->json = NULL;
}

/*
 * Messages quote what users wrote and are cut at a fixed length, so that they need not be valid
 * UTF-8, which JSON has to be.
 */
static json_t *json_words(const char *text)
{
	json_t *j = json_string(text);
	char copy[sizeof(((struct err *)0)->message)];

	if (j)
		return j;
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(copy);
}

static json_t *error_json(const struct err *e)
{
	return json_pack("{s:o*, s:o*, s:o*}", "code", json_words(e->code), "where",
			 json_words(e->where), "message", json_words(e->message));
}

static json_t *errors_json(const struct err_list *errs)
{
	json_t *all = json_array();
	struct err more;

	for (size_t i = 0; i < errs->n; i++)
		json_array_append_new(all, error_json(&errs->items[i]));
	if (errs->dropped) {
		err_set(&more, 0, "more", NULL, "and %zu more", errs->dropped);
		json_array_append_new(all, error_json(&more));
	}
	return all;
}

void request_refuse(struct api_result *ret, unsigned int status, const struct err_list *errs)
{
	json_t *all = errors_json(errs);

	ret->status = status;
	ret->body = json_copy(json_array_get(all, 0));
	if (json_object_set_new(ret->body, "errors", all) < 0) {
		json_decref(ret->body);
		ret->body = NULL;
	}
}
