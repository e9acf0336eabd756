/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bridge_helper.c - vmlane-bridge-helper: gives QEMU's `-netdev bridge,br=BR,helper=...` a tap on
 * a network of vmlane. It has no privilege of its own (it must not be setuid): the daemon opens the
 * tap, if the user may use the network, and the descriptor is passed on to QEMU.
 *
 * QEMU runs it as `HELPER --use-vnet --fd=N --br=BR`, through `sh -c` when the helper's string has
 * spaces, and expects one zero byte with one descriptor (SCM_RIGHTS) on N and exit status 0.
 * Who asks and under which name is found out in helper_guest.c.
 */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "api/client.h"
#include "base/text.h"
#include "cli/helper_guest.h"
#include "cli/output.h"

#define SELF "vmlane-bridge-helper"

/**
 * struct request - what QEMU wants
 * @socket:	the daemon's
 * @fd:		where QEMU waits for the descriptor
 * @br:		bridge or network, as typed
 */
struct request {
	const char *socket;
	int fd;
	const char *br;
};

static int usage(const char *why)
{
	fprintf(stderr,
		SELF ": %s\n"
		     "usage: " SELF " [--use-vnet] --br=BRIDGE|NETWORK --fd=N\n"
		     "QEMU runs it: -netdev bridge,id=net0,br=NETWORK,helper=/path/to/" SELF "\n",
		why);
	return EXIT_FAILURE;
}

static int fail(const struct err_list *errs, int r)
{
	char text[sizeof(struct err)];

	for (size_t i = 0; i < errs->n; i++) {
		fputs(SELF ": ", stderr);
		out_print_escaped(stderr, err_format(&errs->items[i], text, sizeof(text)));
		fputc('\n', stderr);
	}
	if (errs->n == 0)
		fprintf(stderr, SELF ": %s\n", strerror(-r));
	return EXIT_FAILURE;
}

static int parse(int argc, char **argv, struct request *req)
{
	static const struct option options[] = {
		{"use-vnet", no_argument, NULL, 'v'},
		{"fd", required_argument, NULL, 'f'},
		{"br", required_argument, NULL, 'b'},
		{0},
	};
	uint32_t fd = 0;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'f' && text_u32(optarg, 0, INT32_MAX, &fd) < 0)
			return usage("--fd is not a descriptor's number");
		if (c == 'f')
			req->fd = (int)fd;
		else if (c == 'b')
			req->br = optarg;
		else if (c !=
			 'v') /* vmlane's taps always have the vnet header; QEMU asks the tap */
			return usage("unknown option, or one without its value");
	}
	if (optind < argc)
		return usage("too many arguments");
	if (!req->br || req->fd < 0)
		return usage(req->br ? "--fd is missing" : "--br is missing");
	return EXIT_SUCCESS;
}

/* One zero byte and @fd over the socket that QEMU waits at. */
static int send_fd(int socket, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char zero = '\0';
	struct iovec iov = {.iov_base = &zero, .iov_len = 1};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	do {
		n = sendmsg(socket, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* The tap of guest @guest->name on @network, opened by the daemon. */
static int open_tap(const struct request *req, const char *network,
		    const struct helper_guest *guest, int *ret_fd, struct err_list *errs)
{
	char path[128];
	json_t *body, *answer = NULL;
	size_t n = 0;
	int fd, r;

	snprintf(path, sizeof(path), "/v1/guests/%s/open", guest->name);
	body = json_pack("{s:s, s:i}", "network", network, "pid", (int)guest->pid);
	if (guest->mac[0])
		json_object_set_new(body, "mac", json_string(guest->mac));
	r = api_open(req->socket, path, body, &answer, &fd, 1, &n, errs);
	json_decref(body);
	json_decref(answer);
	if (r < 0)
		return r;
	if (n != 1)
		return err_add(errs, -EPROTO, "answer", "",
			       "the daemon sent no descriptor; are the helper and vmlaned of one "
			       "version?");
	*ret_fd = fd;
	return 0;
}

static int serve(const struct request *req, struct err_list *errs)
{
	json_t *networks = NULL, *guests = NULL;
	struct helper_guest guest;
	const char *network;
	int fd = -1, r;

	r = api_call(req->socket, "GET", "/v1/networks", NULL, &networks, errs);
	if (r == 0)
		r = helper_network_find(networks, req->br, &network, errs);
	if (r == 0)
		r = api_call(req->socket, "GET", "/v1/guests", NULL, &guests, errs);
	if (r == 0) {
		helper_guest_find(guests, network, req->br, &guest);
		r = open_tap(req, network, &guest, &fd, errs);
	}
	json_decref(networks);
	json_decref(guests);
	if (r < 0)
		return r;
	r = send_fd(req->fd, fd);
	close(fd);
	if (r < 0)
		return err_add(errs, r, "send", "", "descriptor %d does not take the tap: %s",
			       req->fd, strerror(-r));
	return 0;
}

int main(int argc, char **argv)
{
	const char *socket = getenv("VMLANE_SOCKET");
	struct request req = {
		.socket = socket && *socket ? socket : API_SOCKET_DEFAULT,
		.fd = -1,
	};
	struct err_list errs = {0};
	int r;

	setlocale(LC_ALL, "");
	if (parse(argc, argv, &req) != EXIT_SUCCESS)
		return EXIT_FAILURE;
	r = serve(&req, &errs);
	return r < 0 ? fail(&errs, r) : EXIT_SUCCESS;
}
