/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_api_request.c - what clients send: "METHOD PATH?QUERY\n" and the rest as the body go to
 * api_dispatch() with a daemon that says yes to everything, or no with reasons.
 *
 * Checked besides crashes: the answer has a status and a JSON body, the daemon was only asked what
 * it may be asked, and names that reach it are plausible.
 */
// libs: api base
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "api/server.h"

#define LINE_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* struct fuzz_daemon - @refuse: each call fails; @admin: who asks is root */
struct fuzz_daemon {
	bool refuse;
	bool admin;
};

static int reply(void *ctx, const char *name, json_t **ret, struct err_list *errs)
{
	const struct fuzz_daemon *d = ctx;

	for (const char *p = name ? name : "x"; *p; p++)
		assert(*p > 0x20 && *p < 0x7f && *p != '/');
	if (d->refuse)
		return err_add(errs, -EBUSY, "busy", name, "%s is in the way", name ? name : "it");
	*ret = json_pack("{s:s?}", "name", name);
	return *ret ? 0 : -ENOMEM;
}

static int admin_only(void *ctx, const struct peer *p, const char *name, json_t **ret,
		      struct err_list *errs)
{
	const struct fuzz_daemon *d = ctx;

	assert(d->admin && p->uid == 0);
	return reply(ctx, name, ret, errs);
}

static int get(void *ctx, json_t **ret, struct err_list *errs)
{
	return reply(ctx, NULL, ret, errs);
}

static int show(void *ctx, const char *name, json_t **ret, struct err_list *errs)
{
	return reply(ctx, name, ret, errs);
}

static int create(void *ctx, const struct peer *p, const char *text, size_t len,
		  const struct change_options *o, json_t **ret, struct err_list *errs)
{
	assert(text || !len);
	return admin_only(ctx, p, NULL, ret, errs);
}

static int change(void *ctx, const struct peer *p, const char *name, const char *text, size_t len,
		  const struct change_options *o, json_t **ret, struct err_list *errs)
{
	assert(text || !len);
	return admin_only(ctx, p, name, ret, errs);
}

static int start(void *ctx, const struct peer *p, const char *name, const struct change_options *o,
		 json_t **ret, struct err_list *errs)
{
	return admin_only(ctx, p, name, ret, errs);
}

static int stop(void *ctx, const struct peer *p, const char *name, bool force, json_t **ret,
		struct err_list *errs)
{
	return admin_only(ctx, p, name, ret, errs);
}

static int confirm(void *ctx, const struct peer *p, json_t **ret, struct err_list *errs)
{
	return admin_only(ctx, p, "", ret, errs);
}

static int apply(void *ctx, const struct peer *p, const struct change_options *o, json_t **ret,
		 struct err_list *errs)
{
	return admin_only(ctx, p, NULL, ret, errs);
}

static int attach(void *ctx, const struct peer *p, const struct guest_request *g, json_t **ret,
		  struct err_list *errs)
{
	assert(g->name && g->network && g->mac && g->queues >= 1 && g->queues <= API_FDS_MAX);
	assert(g->owner >= -1 && g->owner < UINT32_MAX && g->pid >= 0);
	return reply(ctx, g->name, ret, errs);
}

static int open_tap(void *ctx, const struct peer *p, const struct guest_request *g, int *fds,
		    size_t *ret_n_fds, json_t **ret, struct err_list *errs)
{
	*ret_n_fds = 0;
	return attach(ctx, p, g, ret, errs);
}

static int detach(void *ctx, const struct peer *p, const char *name, json_t **ret,
		  struct err_list *errs)
{
	return reply(ctx, name, ret, errs);
}

static int release(void *ctx, const struct peer *p, const char *network, const char *addr,
		   json_t **ret, struct err_list *errs)
{
	int r = admin_only(ctx, p, network, ret, errs);

	if (r < 0)
		return r;
	json_decref(*ret);
	return reply(ctx, addr, ret, errs);
}

static const struct service fuzz_service = {
	.status = get,
	.network_list = get,
	.network_show = show,
	.network_create = create,
	.network_config = show,
	.network_replace = change,
	.network_change = change,
	.network_delete = stop,
	.network_start = start,
	.network_stop = stop,
	.check = get,
	.diff = get,
	.apply = apply,
	.confirm = confirm,
	.guest_list = get,
	.guest_show = show,
	.guest_attach = attach,
	.guest_open = open_tap,
	.guest_detach = detach,
	.port_list = get,
	.mac_list = get,
	.events = get,
	.lease_list = get,
	.lease_release = release,
};

static void check_answer(const struct api_result *r, const struct fuzz_daemon *d)
{
	char *text = json_dumps(r->body, JSON_COMPACT);

	assert(text); /* what we answer can always be sent */
	assert(r->status >= 101 && r->status <= 500);
	assert((r->status == 405) == (r->allow[0] != '\0'));
	assert(!d->refuse || r->status >= 400);
	if (r->status >= 300) {
		assert(json_is_string(json_object_get(r->body, "code")));
		assert(json_array_size(json_object_get(r->body, "errors")) > 0);
	}
	free(text);
}

static void ask(struct fuzz_daemon *d, const char *method, const char *path, const char *query,
		const char *body, size_t len)
{
	/* 65534 is neither root nor, hopefully, who runs this */
	const struct peer peer = {.uid = d->admin ? 0 : 65534, .gid = 65534, .pid = 1};
	struct service svc = fuzz_service;
	struct api_result r;

	if (!d->admin && geteuid() == peer.uid)
		return;
	svc.ctx = d;
	api_dispatch(&svc, &peer, method, path, query, body, len, &r);
	check_answer(&r, d);
	assert((r.status == 101) <= api_upgrades(method, path));
	api_result_done(&r);
}

static void ask_all(const char *method, const char *path, const char *query, const char *body,
		    size_t len)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct fuzz_daemon d = {.refuse = i & 1, .admin = i & 2};

		ask(&d, method, path, query, body, len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t len = end ? (size_t)(end - data) : size;
	char line[LINE_MAX];
	char *path, *query;
	size_t rest;

	/* as it is: a body for each way of reading one */
	ask_all("POST", "/v1/guests", NULL, (const char *)data, size);
	ask_all("POST", "/v1/guests/web1/open", NULL, (const char *)data, size);
	ask_all("POST", "/v1/apply", NULL, (const char *)data, size);
	if (len >= sizeof(line))
		return 0;
	memcpy(line, data, len);
	line[len] = '\0';
	rest = end ? size - len - 1 : 0;
	path = strchr(line, ' ');
	if (!path)
		return 0;
	*path++ = '\0';
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	ask_all(line, path, query, rest ? (const char *)end + 1 : NULL, rest);
	return 0;
}
