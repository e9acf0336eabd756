/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream.h - answers that go on: `GET /v1/events`, server-sent events (the WHATWG's HTML standard,
 * section 9.2) over libmicrohttpd's suspended connections. For server.c only.
 */
#ifndef VMLANE_API_STREAM_H
#define VMLANE_API_STREAM_H

#include <microhttpd.h>
#include "api/server.h"

/**
 * struct streams - the open streams
 * @first:	list of them, @n
 * @changed:	told with @ctx when the first one opened (true) or the last one ended (false)
 */
struct streams {
	struct stream *first;
	size_t n;
	void (*changed)(bool any, void *ctx);
	void *ctx;
};

/*
 * streams_answer() - answer @conn with a stream that begins with the @len bytes of @first and goes
 * on until one side ends it. MHD_NO when
 * memory ran out. The caller has looked at API_STREAMS_MAX.
 */
enum MHD_Result streams_answer(struct streams *s, struct MHD_Connection *conn, const char *first,
			       size_t len);
/* streams_send() - to every stream; one that does not read loses events, and is told how many. */
void streams_send(struct streams *s, const char *text, size_t len);
/* streams_end() - let all of them finish: before MHD_stop_daemon(), which needs them resumed. */
void streams_end(struct streams *s);

#endif
