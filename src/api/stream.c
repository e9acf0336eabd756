/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stream.c - see stream.h.
 *
 * A stream with nothing to send is suspended, so that it costs nothing; an event resumes it. A
 * client that went away is noticed when something is written to it, hence the heartbeats, which
 * server.c sends.
 */
#include "api/stream.h"

#include <string.h>
#include <sys/types.h>
#include "base/buf.h"

/**
 * struct stream - one client that listens
 * @out:	what it has not got yet, from @sent on
 * @lost:	events that were dropped since @out was full
 * @ending:	no more events; it ends when @out is through
 */
struct stream {
	struct streams *all;
	struct MHD_Connection *conn;
	struct buf out;
	size_t sent;
	unsigned long lost;
	bool suspended;
	bool ending;
	struct stream *next;
	struct stream **prevp;
};

static void tell_lost(struct stream *t)
{
	if (!t->lost || t->out.len)
		return;
	buf_printf(&t->out, "event: lost\ndata: {\"event\":\"lost\",\"count\":%lu}\n\n", t->lost);
	t->lost = 0;
}

static ssize_t read_stream(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct stream *t = cls;
	size_t len;

	(void)pos;
	tell_lost(t);
	if (t->sent == t->out.len) {
		if (t->ending)
			return MHD_CONTENT_READER_END_OF_STREAM;
		t->suspended = true;
		MHD_suspend_connection(t->conn);
		return 0;
	}
	len = size_min(max, t->out.len - t->sent);
	memcpy(buf, t->out.data + t->sent, len);
	t->sent += len;
	if (t->sent == t->out.len) {
		buf_done(&t->out);
		t->sent = 0;
	}
	return (ssize_t)len;
}

static void free_stream(void *cls)
{
	struct stream *t = cls;
	struct streams *all = t->all;

	*t->prevp = t->next;
	if (t->next)
		t->next->prevp = t->prevp;
	all->n--;
	buf_done(&t->out);
	free(t);
	if (all->n == 0 && all->changed)
		all->changed(false, all->ctx);
}

static void link_stream(struct streams *s, struct stream *t)
{
	t->all = s;
	t->next = s->first;
	t->prevp = &s->first;
	if (t->next)
		t->next->prevp = &t->next;
	s->first = t;
	s->n++;
	if (s->n == 1 && s->changed)
		s->changed(true, s->ctx);
}

enum MHD_Result streams_answer(struct streams *s, struct MHD_Connection *conn, const char *first,
			       size_t len)
{
	struct stream *t = calloc(1, sizeof(*t));
	struct MHD_Response *resp;
	enum MHD_Result ok;

	if (!t)
		return MHD_NO;
	t->conn = conn;
	t->out = BUF_INIT(API_STREAM_MAX);
	buf_append(&t->out, first, len);
	link_stream(s, t);
	resp = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_stream, t,
						 free_stream);
	if (!resp) {
		free_stream(t);
		return MHD_NO;
	}
	MHD_add_response_header(resp, "Content-Type", "text/event-stream");
	MHD_add_response_header(resp, "Cache-Control", "no-store");
	ok = MHD_queue_response(conn, MHD_HTTP_OK, resp);
	MHD_destroy_response(resp);
	return ok;
}

static void resume(struct stream *t)
{
	if (!t->suspended)
		return;
	t->suspended = false;
	MHD_resume_connection(t->conn);
}

void streams_send(struct streams *s, const char *text, size_t len)
{
	for (struct stream *t = s->first; t; t = t->next) {
		if (len > t->out.max - t->out.len)
			t->lost++;
		else
			buf_append(&t->out, text, len);
		if (t->out.error) {
			t->lost++;
			t->out.error = 0;
		}
		resume(t);
	}
}

void streams_end(struct streams *s)
{
	for (struct stream *t = s->first; t; t = t->next) {
		t->ending = true;
		resume(t);
	}
}
