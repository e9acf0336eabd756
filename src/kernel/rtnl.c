/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl.c - the rtnetlink request socket: send a request, collect its answer, and turn the
 * kernel's refusal with its extack words into a struct err.
 *
 * What is asked: rtnl_dump.c (reads) and rtnl_write.c (writes). rtnl_parse.c understands the
 * messages. Hearing of changes has a socket of its own: rtnl_monitor.c.
 */
#include "kernel/rtnl_internal.h"

#include <assert.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* The kernel answers before sendmsg() returns; waiting this long means that an answer got lost. */
#define ANSWER_TIMEOUT_S 5

static uint64_t write_count;

uint64_t kernel_write_count(void)
{
	return write_count;
}

void kernel_write_counted(void)
{
	write_count++;
}

static int open_socket(struct rtnl *r, int protocol)
{
	const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	int on = 1;

	r->sk = mnl_socket_open2(protocol, SOCK_CLOEXEC);
	if (!r->sk)
		return -errno;
	if (mnl_socket_bind(r->sk, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	if (setsockopt(mnl_socket_get_fd(r->sk), SOL_SOCKET, SO_RCVTIMEO, &timeout,
		       sizeof(timeout)) < 0)
		return -errno;
	/* Kernels without these (before 4.20) filter less and say less, which we can live with. */
	(void)mnl_socket_setsockopt(r->sk, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(r->sk, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(r->sk, NETLINK_CAP_ACK, &on, sizeof(on));
	return 0;
}

int rtnl_new_for(int protocol, struct rtnl **ret)
{
	struct rtnl *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->buf = malloc(RTNL_RECV_SIZE);
	err = r->buf ? open_socket(r, protocol) : -ENOMEM;
	if (err < 0) {
		rtnl_free(r);
		return err;
	}
	*ret = r;
	return 0;
}

int rtnl_new(struct rtnl **ret)
{
	return rtnl_new_for(NETLINK_ROUTE, ret);
}

void rtnl_free(struct rtnl *r)
{
	if (!r)
		return;
	if (r->sk)
		mnl_socket_close(r->sk);
	free(r->buf);
	free(r);
}

int rtnl_array_add(struct rtnl_array *a, const void *entry)
{
	if (a->n >= RTNL_ENTRIES_MAX)
		return -E2BIG;
	if (a->n == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 32;
		void *v = reallocarray(a->v, cap, a->size);

		if (!v)
			return -ENOMEM;
		a->v = v;
		a->cap = cap;
	}
	memcpy((char *)a->v + a->n * a->size, entry, a->size);
	a->n++;
	return 0;
}

int rtnl_receive(struct mnl_socket *sk, char *buf, size_t size)
{
	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(mnl_socket_get_fd(sk), buf, size, MSG_TRUNC,
				     (struct sockaddr *)&from, &from_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (from.nl_pid != 0)
			continue;
		if ((size_t)n > size)
			return -EMSGSIZE;
		return (int)n;
	}
}

void *rtnl_request_begin(struct rtnl *r, struct rtnl_request *q, uint16_t type, uint16_t flags,
			 size_t header_size)
{
	if (q->last)
		q->len += NLMSG_ALIGN(q->last->nlmsg_len);
	assert(q->len + NLMSG_HDRLEN + header_size <= sizeof(q->bytes));
	q->last = mnl_nlmsg_put_header(q->bytes + q->len);
	q->last->nlmsg_type = type;
	q->last->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	q->last->nlmsg_seq = ++r->seq;
	return mnl_nlmsg_put_extra_header(q->last, header_size);
}

/**
 * struct answer - what came back for a request
 * @first_seq:	its first message's sequence number
 * @pending:	how many of its messages have no verdict yet
 * @error:	the first error, negative
 * @torn:	a dump's data changed while it was read
 * @words:	the kernel's own words for @error, "" when there were none
 */
struct answer {
	uint32_t first_seq;
	unsigned int pending;
	int error;
	bool torn;
	char words[160];
};

/* The extended ack's text, among the attributes from @offset of the message on. */
static void take_words(const struct nlmsghdr *nlh, size_t offset, struct answer *a)
{
	struct rtnl_attrs attrs = rtnl_attrs_of(nlh, offset);
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	while ((attr = rtnl_attrs_next(&attrs)) != NULL)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
			rtnl_attr_text(attr, a->words, sizeof(a->words));
}

static void take_error(const struct nlmsghdr *nlh, struct answer *a)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	size_t offset = NLMSG_HDRLEN + sizeof(*err);

	a->pending--;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*err)) {
		a->error = -EBADMSG;
		return;
	}
	if (err->error == 0 || a->error)
		return;
	a->error = err->error;
	/* Without NLM_F_CAPPED the request's payload comes back in front of the attributes. */
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		offset += NLMSG_ALIGN((size_t)err->msg.nlmsg_len) - NLMSG_HDRLEN;
	take_words(nlh, offset, a);
}

static void take_done(const struct nlmsghdr *nlh, struct answer *a)
{
	int error = 0;

	a->pending--;
	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(error))
		memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
	if (error >= 0 || a->error)
		return;
	a->error = error;
	take_words(nlh, NLMSG_HDRLEN + sizeof(error), a);
}

static void take_message(const struct nlmsghdr *nlh, rtnl_message_fn fn, struct rtnl_array *out,
			 struct answer *a)
{
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		a->torn = true;
	if (nlh->nlmsg_type == NLMSG_ERROR)
		take_error(nlh, a);
	else if (nlh->nlmsg_type == NLMSG_DONE)
		take_done(nlh, a);
	else if (nlh->nlmsg_type >= NLMSG_MIN_TYPE && fn && !a->error)
		a->error = fn(nlh, out);
}

/* Reads to the end even after an error, so that the next request finds the socket empty. */
static int collect(struct rtnl *r, rtnl_message_fn fn, struct rtnl_array *out, struct answer *a)
{
	while (a->pending) {
		int len = rtnl_receive(r->sk, r->buf, RTNL_RECV_SIZE);
		struct rtnl_messages messages = {.p = r->buf};
		const struct nlmsghdr *nlh;

		if (len < 0)
			return len == -EAGAIN ? -ETIMEDOUT : len;
		messages.left = (size_t)len;
		while (a->pending && (nlh = rtnl_messages_next(&messages)) != NULL) {
			/* Older numbers belong to a request that was given up. */
			if (nlh->nlmsg_seq - a->first_seq <= r->seq - a->first_seq)
				take_message(nlh, fn, out, a);
		}
	}
	return 0;
}

static int refused(const struct rtnl_request *q, const struct answer *a, struct err *e)
{
	const char *mend = a->error == -EPERM ? "; CAP_NET_ADMIN is needed" : "";

	if (a->words[0])
		return err_set(e, a->error, "kernel", q->ifname,
			       "the kernel refused to %s: %s (%s)%s", q->what, a->words,
			       strerror(-a->error), mend);
	return err_set(e, a->error, "kernel", q->ifname, "the kernel refused to %s: %s%s", q->what,
		       strerror(-a->error), mend);
}

static unsigned int count_messages(const struct rtnl_request *q)
{
	struct rtnl_messages messages = {.p = q->bytes, .left = q->len};
	unsigned int n = 0;

	while (rtnl_messages_next(&messages))
		n++;
	return n;
}

static int exchange(struct rtnl *r, struct rtnl_request *q, rtnl_message_fn fn,
		    struct rtnl_array *out, struct answer *a, struct err *e)
{
	int err;

	if (q->last) {
		q->len += NLMSG_ALIGN(q->last->nlmsg_len);
		q->last = NULL;
	}
	a->pending = count_messages(q);
	a->first_seq = r->seq - a->pending + 1;
	if (mnl_socket_sendto(r->sk, q->bytes, q->len) < 0)
		err = -errno;
	else
		err = collect(r, fn, out, a);
	if (err < 0)
		return err_set(e, err, "kernel", q->ifname, "no answer from the kernel to %s: %s",
			       q->what, strerror(-err));
	return a->error < 0 ? refused(q, a, e) : 0;
}

int rtnl_request_run(struct rtnl *r, struct rtnl_request *q, rtnl_message_fn fn,
		     struct rtnl_array *out, struct err *e)
{
	struct answer a = {0};

	return exchange(r, q, fn, out, &a, e);
}

int rtnl_request_dump(struct rtnl *r, struct rtnl_request *q, rtnl_message_fn fn,
		      struct rtnl_array *out, struct err *e)
{
	for (unsigned int i = 0; i < RTNL_DUMP_TRIES; i++) {
		struct answer a = {0};
		int err;

		if (i > 0)
			((struct nlmsghdr *)q->bytes)->nlmsg_seq = ++r->seq;
		out->n = 0;
		err = exchange(r, q, fn, out, &a, e);
		if (err == -ENOBUFS || err == -EBUSY || (err == 0 && a.torn))
			continue;
		return err;
	}
	return err_set(e, -EAGAIN, "kernel", q->ifname,
		       "could not %s: it changed under the reader %d times in a row", q->what,
		       RTNL_DUMP_TRIES);
}

int rtnl_request_write(struct rtnl *r, struct rtnl_request *q, struct err *e)
{
	struct answer a = {0};
	int err = exchange(r, q, NULL, NULL, &a, e);

	for (unsigned int n = count_messages(q); n > 0; n--)
		kernel_write_counted();
	return err;
}
