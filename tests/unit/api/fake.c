/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake.c - see fake.h. */
#include "fake.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static int record(void *ctx, json_t **ret, struct err_list *errs, const char *fmt, ...)
	__printf(4, 5);

static int record(void *ctx, json_t **ret, struct err_list *errs, const char *fmt, ...)
{
	struct fake *f = ctx;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->call, sizeof(f->call), fmt, ap);
	va_end(ap);
	f->calls++;
	if (f->fail && f->fail_words) {
		err_add(errs, 0, "first", "lab.yaml:4:11", "the first reason");
		err_add(errs, 0, "second", "", "cut \xc3");
	}
	if (f->fail)
		return -f->fail;
	*ret = json_pack("{s:s}", "call", f->call);
	return 0;
}

#define UID(p) ((unsigned int)(p)->uid)

static int status(void *ctx, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "status");
}

static int network_list(void *ctx, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "network_list");
}

static int network_show(void *ctx, const char *name, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "network_show %s", name);
}

static int network_create(void *ctx, const struct peer *p, const char *text, size_t len,
			  const struct change_options *o, json_t **ret, struct err_list *errs)
{
	if (o->force || o->confirm_s)
		return record(ctx, ret, errs, "network_create%s confirm=%u uid=%u",
			      o->force ? " force" : "", o->confirm_s, UID(p));
	return record(ctx, ret, errs, "network_create %zu:%.30s uid=%u", len, text, UID(p));
}

static int network_config(void *ctx, const char *name, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "network_config %s", name);
}

static int network_replace(void *ctx, const struct peer *p, const char *name, const char *text,
			   size_t len, const struct change_options *o, json_t **ret,
			   struct err_list *errs)
{
	return record(ctx, ret, errs, "network_replace %s %zu:%.30s%s confirm=%u uid=%u", name, len,
		      text, o->force ? " force" : "", o->confirm_s, UID(p));
}

static int network_change(void *ctx, const struct peer *p, const char *name, const char *text,
			  size_t len, const struct change_options *o, json_t **ret,
			  struct err_list *errs)
{
	return record(ctx, ret, errs, "network_change %s %zu:%.30s%s confirm=%u uid=%u", name, len,
		      text, o->force ? " force" : "", o->confirm_s, UID(p));
}

static int network_delete(void *ctx, const struct peer *p, const char *name, bool force,
			  json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "network_delete %s%s uid=%u", name, force ? " force" : "",
		      UID(p));
}

static int network_start(void *ctx, const struct peer *p, const char *name,
			 const struct change_options *o, json_t **ret, struct err_list *errs)
{
	if (o->confirm_s)
		return record(ctx, ret, errs, "network_start %s confirm=%u uid=%u", name,
			      o->confirm_s, UID(p));
	return record(ctx, ret, errs, "network_start %s uid=%u", name, UID(p));
}

static int network_stop(void *ctx, const struct peer *p, const char *name, bool force, json_t **ret,
			struct err_list *errs)
{
	return record(ctx, ret, errs, "network_stop %s%s uid=%u", name, force ? " force" : "",
		      UID(p));
}

static int check(void *ctx, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "check");
}

static int diff(void *ctx, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "diff");
}

static int apply(void *ctx, const struct peer *p, const struct change_options *o, json_t **ret,
		 struct err_list *errs)
{
	if (o->confirm_s)
		return record(ctx, ret, errs, "apply%s confirm=%u uid=%u", o->force ? " force" : "",
			      o->confirm_s, UID(p));
	return record(ctx, ret, errs, "apply%s uid=%u", o->force ? " force" : "", UID(p));
}

static int confirm(void *ctx, const struct peer *p, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "confirm uid=%u", UID(p));
}

static int guest_list(void *ctx, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "guest_list");
}

static int guest_show(void *ctx, const char *name, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "guest_show %s", name);
}

static int guest_attach(void *ctx, const struct peer *p, const struct guest_request *g,
			json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "guest_attach %s %s mac=%s owner=%lld queues=%u uid=%u",
		      g->name, g->network, g->mac, (long long)g->owner, g->queues, UID(p));
}

static int guest_open(void *ctx, const struct peer *p, const struct guest_request *g, int *fds,
		      size_t *ret_n_fds, json_t **ret, struct err_list *errs)
{
	struct fake *f = ctx;
	int r;

	r = record(ctx, ret, errs, "guest_open %s %s mac=%s queues=%u pid=%d uid=%u", g->name,
		   g->network, g->mac, g->queues, (int)g->pid, UID(p));
	if (r < 0)
		return r;
	for (size_t i = 0; i < f->n_fds; i++) {
		fds[i] = memfd_create("queue", MFD_CLOEXEC);
		dprintf(fds[i], "%zu", i);
	}
	*ret_n_fds = f->n_fds;
	return 0;
}

static int guest_detach(void *ctx, const struct peer *p, const char *name, json_t **ret,
			struct err_list *errs)
{
	return record(ctx, ret, errs, "guest_detach %s uid=%u", name, UID(p));
}

static int port_list(void *ctx, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "port_list");
}

static int sighting_list(void *ctx, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "sighting_list");
}

static int mac_list(void *ctx, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "mac_list");
}

static int forward_list(void *ctx, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "forward_list");
}

static int events(void *ctx, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "events");
}

static int lease_list(void *ctx, json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "lease_list");
}

static int lease_release(void *ctx, const struct peer *p, const char *network, const char *addr,
			 json_t **ret, struct err_list *errs)
{
	return record(ctx, ret, errs, "lease_release %s %s uid=%u", network, addr, UID(p));
}

struct service fake_service(struct fake *f)
{
	return (struct service){
		.ctx = f,
		.status = status,
		.network_list = network_list,
		.network_show = network_show,
		.network_create = network_create,
		.network_config = network_config,
		.network_replace = network_replace,
		.network_change = network_change,
		.network_delete = network_delete,
		.network_start = network_start,
		.network_stop = network_stop,
		.check = check,
		.diff = diff,
		.apply = apply,
		.confirm = confirm,
		.guest_list = guest_list,
		.guest_show = guest_show,
		.guest_attach = guest_attach,
		.guest_open = guest_open,
		.guest_detach = guest_detach,
		.port_list = port_list,
		.mac_list = mac_list,
		.sighting_list = sighting_list,
		.forward_list = forward_list,
		.events = events,
		.lease_list = lease_list,
		.lease_release = lease_release,
	};
}
