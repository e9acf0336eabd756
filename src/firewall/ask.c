/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.c - see ask.h. */
#include "firewall/ask.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#define ANSWER_MAX 65536

/* struct answer - as far as it was read; @error: what it comes to, 0 or -errno. */
struct answer {
	uint32_t seq;
	uint32_t portid;
	bool torn;
	bool refused;
	bool over;
	int error;
	mnl_cb_t fn;
	void *ctx;
};

static void take_error(struct answer *a, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

	a->over = true;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e))
		a->error = -EBADMSG;
	else if (e->error)
		a->error = e->error;
}

/* The end of a list may bear an error, as an int. */
static void take_done(struct answer *a, const struct nlmsghdr *nlh)
{
	const int *error = mnl_nlmsg_get_payload(nlh);

	a->over = true;
	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(*error) && *error < 0 && !a->error)
		a->error = *error;
}

static void take(struct answer *a, const struct nlmsghdr *nlh, uint16_t asked)
{
	if (nlh->nlmsg_seq != a->seq || nlh->nlmsg_pid != a->portid)
		return;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		a->torn = true;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		take_error(a, nlh);
	} else if (nlh->nlmsg_type == NLMSG_DONE) {
		take_done(a, nlh);
	} else if (nlh->nlmsg_type >= NLMSG_MIN_TYPE) {
		if (a->fn && !a->refused && a->fn(nlh, a->ctx) == MNL_CB_ERROR) {
			a->refused = true;
			a->error = errno ? -errno : -EBADMSG;
		}
		/* Without a list and a word at the end there is one message. */
		a->over = !(nlh->nlmsg_flags & NLM_F_MULTI) && !(asked & NLM_F_ACK);
	}
}

void fw_ask_drop(struct mnl_socket *socket)
{
	char byte;

	while (recv(mnl_socket_get_fd(socket), &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC) >=
		       0 ||
	       errno == ENOBUFS || errno == EINTR)
		;
}

/* The kernel has answered, or begun its list, before send() returned; each read goes on with that. */
static int read_answer(int fd, struct answer *a, uint16_t asked)
{
	_cleanup_(freep) char *buf = malloc(ANSWER_MAX);

	if (!buf)
		return -ENOMEM;
	while (!a->over) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)buf;
		ssize_t got = recv(fd, buf, ANSWER_MAX, MSG_DONTWAIT);
		int left = (int)got;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? -EBADMSG : -errno;
		for (; mnl_nlmsg_ok(nlh, left) && !a->over; nlh = mnl_nlmsg_next(nlh, &left))
			take(a, nlh, asked);
	}
	return 0;
}

int fw_ask(struct mnl_socket *socket, struct nlmsghdr *nlh, mnl_cb_t fn, void *ctx)
{
	static uint32_t last;
	struct answer a = {
		.seq = ++last, .portid = mnl_socket_get_portid(socket), .fn = fn, .ctx = ctx};
	int r;

	fw_ask_drop(socket);
	nlh->nlmsg_seq = a.seq;
	if (mnl_socket_sendto(socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	errno = 0;
	r = read_answer(mnl_socket_get_fd(socket), &a, nlh->nlmsg_flags);
	if (r < 0)
		return r;
	return a.torn && !a.refused && !a.error ? -EINTR : a.error;
}
