/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request.h - reading what a client sent: path, query and JSON body, strictly; and the body of an
 * answer that says no. Pure: bytes in, structs and errors out.
 *
 * Inside the API only (routes.c, server.c). Next on the walk: routes.c, the table of routes.
 */
#ifndef VMLANE_API_REQUEST_H
#define VMLANE_API_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "api/server.h"
#include "api/service.h"
#include "base/err.h"

#define REQUEST_SEGMENTS_MAX 6
#define REQUEST_SEGMENT_LEN 64
#define REQUEST_PID_MAX 4194304 /* PID_MAX_LIMIT of 64-bit kernels */

/**
 * struct request_path - a path cut at its slashes, each part percent-decoded
 * @seg:	"v1", "networks", ...; printable ASCII without '/', not beginning with '.'
 * @n:		how many
 */
struct request_path {
	char seg[REQUEST_SEGMENTS_MAX][REQUEST_SEGMENT_LEN + 1];
	size_t n;
};

/*
 * request_path_parse() - 0; -ENOENT for what cannot be a route (empty parts, too many); -EINVAL for
 * bad escapes and names that no object has.
 */
int request_path_parse(const char *path, struct request_path *ret,
		       struct err_list *errs) __must_check;

/* Parameters of a path, as bits. */
#define QUERY_FORCE 1u	 /* force=1 */
#define QUERY_CONFIRM 2u /* confirm=SECONDS, 1 to CONFIRM_MAX_S */

/*
 * request_query_parse() - the parameters of which @known has the bits. @query may be NULL. Unknown,
 * repeated and malformed parameters are -EINVAL.
 */
int request_query_parse(const char *query, unsigned int known, struct change_options *ret,
			struct err_list *errs) __must_check;

/* enum request_body_kind - which keys a route's body may have. */
enum request_body_kind {
	BODY_NONE,  /* nothing, or {} */
	BODY_RAW,   /* handed on unread */
	BODY_APPLY, /* force?, confirm? */
	BODY_GUEST, /* name, network, mac?, owner?, queues? */
	BODY_OPEN,  /* network, mac?, queues?, pid? */
	BODY_RULE,  /* rule, position? */
	BODY_KIND_COUNT,
};

/**
 * struct request_body - the values of a body's keys; absent ones have their defaults
 * @json:	owns the strings
 * @name:	of the guest; NULL when the route has no such key
 * @network:	its network; NULL likewise
 * @mac:	"" when absent, else a valid MAC
 * @owner:	uid, -1 when absent
 * @queues:	1 when absent
 * @pid:	0 when absent
 * @rule:	of a policy, as typed; NULL when the route has no such key
 * @position:	0 when absent
 * @force:	false when absent; @confirm: seconds, 0 when absent
 */
struct request_body {
	json_t *json;
	const char *name;
	const char *network;
	const char *mac;
	int64_t owner;
	int64_t queues;
	int64_t pid;
	const char *rule;
	int64_t position;
	bool force;
	int64_t confirm;
};

/*
 * request_body_parse() - 0 or -EINVAL with every mistake in @errs, or -ENOMEM. An empty body is
 * read as {}. Not for BODY_RAW.
 */
int request_body_parse(const char *text, size_t len, enum request_body_kind kind,
		       struct request_body *ret, struct err_list *errs) __must_check;
void request_body_done(struct request_body *b);

/*
 * request_refuse() - make @ret the answer @status with @errs, at least one, as its body
 * (docs/API.md, "Errors"). Out of memory leaves @ret->body NULL.
 */
void request_refuse(struct api_result *ret, unsigned int status, const struct err_list *errs);

#endif
