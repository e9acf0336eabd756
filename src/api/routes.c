/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * routes.c - the table of routes, and one short handler for each: what docs/API.md lists.
 *
 * It does not know HTTP (server.c) nor what a network is: it checks who asks and the request's
 * shape (request.c), and calls the daemon through struct service.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "api/request.h"
#include "api/server.h"

/* enum access - who may use a route. */
enum access {
	ACCESS_READ,   /* whoever can connect */
	ACCESS_ADMIN,  /* root, or the daemon's own user */
	ACCESS_ATTACH, /* whoever can connect; the daemon looks at the network's `access` list */
};

#define CALL_ARGS_MAX 2

struct route;

/**
 * struct call - a request on its way through its route
 * @svc, @peer:	the daemon, and who asks
 * @route:	what was asked
 * @path:	its parts; @arg: the variable ones, in order
 * @options:	what is behind the '?'
 * @body:	its keys; @raw, @raw_len: the bytes
 * @errs:	the reasons for a no
 * @out:	the answer
 */
struct call {
	const struct service *svc;
	const struct peer *peer;
	const struct route *route;
	struct request_path path;
	const char *arg[CALL_ARGS_MAX];
	struct change_options options;
	struct request_body body;
	const char *raw;
	size_t raw_len;
	struct err_list *errs;
	struct api_result *out;
};

/**
 * struct route - one row of the API
 * @pattern:	"*" stands for one part of the path, given to the handler as call.arg[]
 * @access:	who may use it
 * @query:	what may be there: QUERY_* bits
 * @body:	the keys it takes
 * @status:	of the answer when all went well
 * @stream:	the answer is the first event of a stream
 * @handler:	0 and the answer's JSON, or -errno and call.errs
 */
struct route {
	const char *method;
	const char *pattern;
	enum access access;
	unsigned int query;
	enum request_body_kind body;
	unsigned int status;
	int (*handler)(struct call *c, json_t **ret);
	bool stream;
};

static int get_status(struct call *c, json_t **ret)
{
	return c->svc->status(c->svc->ctx, ret, c->errs);
}

static int get_networks(struct call *c, json_t **ret)
{
	return c->svc->network_list(c->svc->ctx, ret, c->errs);
}

static int get_network(struct call *c, json_t **ret)
{
	return c->svc->network_show(c->svc->ctx, c->arg[0], ret, c->errs);
}

static int post_network(struct call *c, json_t **ret)
{
	return c->svc->network_create(c->svc->ctx, c->peer, c->raw, c->raw_len, &c->options, ret,
				      c->errs);
}

static int get_config(struct call *c, json_t **ret)
{
	return c->svc->network_config(c->svc->ctx, c->arg[0], ret, c->errs);
}

static int put_network(struct call *c, json_t **ret)
{
	return c->svc->network_replace(c->svc->ctx, c->peer, c->arg[0], c->raw, c->raw_len,
				       &c->options, ret, c->errs);
}

static int patch_network(struct call *c, json_t **ret)
{
	return c->svc->network_change(c->svc->ctx, c->peer, c->arg[0], c->raw, c->raw_len,
				      &c->options, ret, c->errs);
}

static int delete_network(struct call *c, json_t **ret)
{
	return c->svc->network_delete(c->svc->ctx, c->peer, c->arg[0], c->options.force, ret,
				      c->errs);
}

static int start_network(struct call *c, json_t **ret)
{
	return c->svc->network_start(c->svc->ctx, c->peer, c->arg[0], &c->options, ret, c->errs);
}

static int stop_network(struct call *c, json_t **ret)
{
	return c->svc->network_stop(c->svc->ctx, c->peer, c->arg[0], c->options.force, ret,
				    c->errs);
}

static int get_check(struct call *c, json_t **ret)
{
	return c->svc->check(c->svc->ctx, ret, c->errs);
}

static int get_diff(struct call *c, json_t **ret)
{
	return c->svc->diff(c->svc->ctx, ret, c->errs);
}

static int post_apply(struct call *c, json_t **ret)
{
	const struct change_options o = {.force = c->body.force,
					 .confirm_s = (unsigned int)c->body.confirm};

	return c->svc->apply(c->svc->ctx, c->peer, &o, ret, c->errs);
}

static int post_confirm(struct call *c, json_t **ret)
{
	return c->svc->confirm(c->svc->ctx, c->peer, ret, c->errs);
}

static int get_guests(struct call *c, json_t **ret)
{
	return c->svc->guest_list(c->svc->ctx, ret, c->errs);
}

static int get_guest(struct call *c, json_t **ret)
{
	return c->svc->guest_show(c->svc->ctx, c->arg[0], ret, c->errs);
}

static struct guest_request guest_request(const struct call *c, const char *name)
{
	return (struct guest_request){
		.name = name,
		.network = c->body.network,
		.mac = c->body.mac,
		.owner = c->body.owner,
		.queues = (unsigned int)c->body.queues,
		.pid = (pid_t)c->body.pid,
	};
}

static int post_guest(struct call *c, json_t **ret)
{
	struct guest_request g = guest_request(c, c->body.name);

	return c->svc->guest_attach(c->svc->ctx, c->peer, &g, ret, c->errs);
}

static int open_guest(struct call *c, json_t **ret)
{
	struct guest_request g = guest_request(c, c->arg[0]);

	return c->svc->guest_open(c->svc->ctx, c->peer, &g, c->out->fds, &c->out->n_fds, ret,
				  c->errs);
}

static int delete_guest(struct call *c, json_t **ret)
{
	return c->svc->guest_detach(c->svc->ctx, c->peer, c->arg[0], ret, c->errs);
}

static int get_ports(struct call *c, json_t **ret)
{
	return c->svc->port_list(c->svc->ctx, ret, c->errs);
}

static int get_macs(struct call *c, json_t **ret)
{
	return c->svc->mac_list(c->svc->ctx, ret, c->errs);
}

static int get_sightings(struct call *c, json_t **ret)
{
	return c->svc->sighting_list(c->svc->ctx, ret, c->errs);
}

static int get_forwards(struct call *c, json_t **ret)
{
	return c->svc->forward_list(c->svc->ctx, ret, c->errs);
}

static int get_filters(struct call *c, json_t **ret)
{
	return c->svc->filter_list(c->svc->ctx, ret, c->errs);
}

static int post_rule(struct call *c, json_t **ret)
{
	return c->svc->filter_add(c->svc->ctx, c->peer, c->arg[0], c->body.rule,
				  (unsigned int)c->body.position, ret, c->errs);
}

static int delete_rule(struct call *c, json_t **ret)
{
	return c->svc->filter_delete(c->svc->ctx, c->peer, c->arg[0], c->body.rule, ret, c->errs);
}

static int get_events(struct call *c, json_t **ret)
{
	return c->svc->events(c->svc->ctx, ret, c->errs);
}

static int get_leases(struct call *c, json_t **ret)
{
	return c->svc->lease_list(c->svc->ctx, ret, c->errs);
}

static int delete_lease(struct call *c, json_t **ret)
{
	return c->svc->lease_release(c->svc->ctx, c->peer, c->arg[0], c->arg[1], ret, c->errs);
}

#define FORCE QUERY_FORCE
#define CONFIRM QUERY_CONFIRM

/* clang-format off */
static const struct route routes[] = {
	{"GET",    "/v1/status",           ACCESS_READ,       0,                BODY_NONE,  200, get_status},
	{"GET",    "/v1/networks",         ACCESS_READ,       0,                BODY_NONE,  200, get_networks},
	{"POST",   "/v1/networks",         ACCESS_ADMIN,      FORCE | CONFIRM,  BODY_RAW,   201, post_network},
	{"GET",    "/v1/networks/*",       ACCESS_READ,       0,                BODY_NONE,  200, get_network},
	{"PUT",    "/v1/networks/*",       ACCESS_ADMIN,      FORCE | CONFIRM,  BODY_RAW,   200, put_network},
	{"PATCH",  "/v1/networks/*",       ACCESS_ADMIN,      FORCE | CONFIRM,  BODY_RAW,   200, patch_network},
	{"GET",    "/v1/networks/*/config", ACCESS_READ,      0,                BODY_NONE,  200, get_config},
	{"DELETE", "/v1/networks/*",       ACCESS_ADMIN,      FORCE,            BODY_NONE,  200, delete_network},
	{"POST",   "/v1/networks/*/start", ACCESS_ADMIN,      FORCE | CONFIRM,  BODY_NONE,  200, start_network},
	{"POST",   "/v1/networks/*/stop",  ACCESS_ADMIN,      FORCE,            BODY_NONE,  200, stop_network},
	{"GET",    "/v1/check",            ACCESS_READ,       0,                BODY_NONE,  200, get_check},
	{"GET",    "/v1/diff",             ACCESS_READ,       0,                BODY_NONE,  200, get_diff},
	{"POST",   "/v1/apply",            ACCESS_ADMIN,      0,                BODY_APPLY, 200, post_apply},
	{"POST",   "/v1/confirm",          ACCESS_ADMIN,      0,                BODY_NONE,  200, post_confirm},
	{"GET",    "/v1/guests",           ACCESS_READ,       0,                BODY_NONE,  200, get_guests},
	{"POST",   "/v1/guests",           ACCESS_ATTACH,     0,                BODY_GUEST, 201, post_guest},
	{"GET",    "/v1/guests/*",         ACCESS_READ,       0,                BODY_NONE,  200, get_guest},
	{"DELETE", "/v1/guests/*",         ACCESS_ATTACH,     0,                BODY_NONE,  200, delete_guest},
	{"POST",   "/v1/guests/*/open",    ACCESS_ATTACH,     0,                BODY_OPEN,  101, open_guest},
	{"GET",    "/v1/ports",            ACCESS_READ,       0,                BODY_NONE,  200, get_ports},
	{"GET",    "/v1/macs",             ACCESS_READ,       0,                BODY_NONE,  200, get_macs},
	{"GET",    "/v1/sightings",        ACCESS_READ,       0,                BODY_NONE,  200, get_sightings},
	{"GET",    "/v1/forwards",         ACCESS_READ,       0,                BODY_NONE,  200, get_forwards},
	{"GET",    "/v1/rules",            ACCESS_READ,       0,                BODY_NONE,  200, get_filters},
	{"POST",   "/v1/networks/*/rules", ACCESS_ADMIN,      0,                BODY_RULE,  200, post_rule},
	{"DELETE", "/v1/networks/*/rules", ACCESS_ADMIN,      0,                BODY_RULE,  200, delete_rule},
	{"GET",    "/v1/events",           ACCESS_READ,       0,                BODY_NONE,  200, get_events, true},
	{"GET",    "/v1/leases",           ACCESS_READ,       0,                BODY_NONE,  200, get_leases},
	{"DELETE", "/v1/leases/*/*",       ACCESS_ADMIN,      0,                BODY_NONE,  200, delete_lease},
};
/* clang-format on */

/* Without this, a function added to struct service stays without a route unnoticed. */
static_assert(ARRAY_SIZE(routes) ==
		      (sizeof(struct service) - sizeof(void *)) / sizeof(void (*)(void)),
	      "one route for each function of struct service");

/* What a failing service function means in HTTP (service.h). */
static const struct {
	int errnum;
	unsigned int status;
} statuses[] = {
	{EINVAL, 400}, {EPERM, 403}, {EACCES, 403}, {ENOENT, 404}, {EEXIST, 409}, {EBUSY, 409},
};

static unsigned int status_of(int r)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].errnum == -r)
			return statuses[i].status;
	return 500;
}

/* The parts of @path that stand where @pattern has "*" go to @arg. */
static bool pattern_matches(const char *pattern, const struct request_path *path,
			    const char *arg[CALL_ARGS_MAX])
{
	size_t n_args = 0;
	size_t i;

	for (i = 0; *pattern == '/' && i < path->n; i++) {
		size_t len = strcspn(++pattern, "/");

		if (len == 1 && *pattern == '*') {
			assert(n_args < CALL_ARGS_MAX);
			arg[n_args++] = path->seg[i];
		} else if (strlen(path->seg[i]) != len || memcmp(path->seg[i], pattern, len) != 0) {
			return false;
		}
		pattern += len;
	}
	return *pattern == '\0' && i == path->n;
}

static const struct route *route_find(const char *method, const struct request_path *path,
				      const char *arg[CALL_ARGS_MAX])
{
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		if (strcmp(routes[i].method, method) == 0 &&
		    pattern_matches(routes[i].pattern, path, arg))
			return &routes[i];
	return NULL;
}

bool api_upgrades(const char *method, const char *path)
{
	const char *arg[CALL_ARGS_MAX];
	const struct route *route;
	struct request_path p;

	if (request_path_parse(path, &p, NULL) < 0)
		return false;
	route = route_find(method, &p, arg);
	return route && route->status == 101;
}

/* There is no such method for the path: say which there are, or that it is not known. */
static unsigned int no_route(struct call *c)
{
	const char *arg[CALL_ARGS_MAX];
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		int n;

		if (!pattern_matches(routes[i].pattern, &c->path, arg))
			continue;
		n = snprintf(c->out->allow + len, API_ALLOW_MAX - len, "%s%s", len ? ", " : "",
			     routes[i].method);
		len += (size_t)n;
		assert(len < API_ALLOW_MAX);
	}
	if (len) {
		err_add(c->errs, 0, "method", "", "this path knows only %s", c->out->allow);
		return 405;
	}
	err_add(c->errs, 0, "no-route", "", "no such path; docs/API.md lists them");
	return 404;
}

static int check_access(const struct call *c)
{
	if (c->route->access != ACCESS_ADMIN || c->peer->uid == 0 || c->peer->uid == geteuid())
		return 0;
	return err_add(c->errs, -EPERM, "not-allowed", "",
		       "uid %u may not do this; it needs root: use sudo",
		       (unsigned int)c->peer->uid);
}

static int read_request(struct call *c, const char *query)
{
	int r;

	r = request_query_parse(query, c->route->query, &c->options, c->errs);
	if (r < 0 || c->route->body == BODY_RAW)
		return r;
	return request_body_parse(c->raw, c->raw_len, c->route->body, &c->body, c->errs);
}

/* Returns the answer's status. */
static unsigned int run(struct call *c, const char *query)
{
	json_t *body = NULL;
	int r;

	r = check_access(c);
	if (r < 0)
		return status_of(r);
	r = read_request(c, query);
	if (r < 0)
		return status_of(r);
	r = c->route->handler(c, &body);
	if (r < 0) {
		assert(!body);
		if (!c->errs->n)
			err_add(c->errs, r, "failed", "", "%s", strerror(-r));
		return status_of(r);
	}
	c->out->body = body;
	c->out->stream = c->route->stream;
	return c->route->status;
}

static unsigned int dispatch(struct call *c, const char *method, const char *path,
			     const char *query)
{
	int r;

	r = request_path_parse(path, &c->path, c->errs);
	if (r == -EINVAL)
		return 400;
	if (r == 0)
		c->route = route_find(method, &c->path, c->arg);
	if (!c->route)
		return no_route(c);
	return run(c, query);
}

void api_dispatch(const struct service *svc, const struct peer *peer, const char *method,
		  const char *path, const char *query, const char *body, size_t len,
		  struct api_result *ret)
{
	struct err_list errs;
	struct call c = {.svc = svc,
			 .peer = peer,
			 .raw = body ? body : "",
			 .raw_len = len,
			 .errs = &errs,
			 .out = ret};
	unsigned int status;

	/* Only the counts: clearing all of 50 KB would cost more than the rest of a request. */
	errs.n = 0;
	errs.dropped = 0;
	ret->body = NULL;
	ret->n_fds = 0;
	ret->stream = false;
	ret->allow[0] = '\0';
	status = dispatch(&c, method, path, query);
	request_body_done(&c.body);
	if (status >= 300)
		request_refuse(ret, status, &errs);
	else
		ret->status = status;
}

void api_result_done(struct api_result *r)
{
	for (size_t i = 0; i < r->n_fds; i++)
		close(r->fds[i]);
	r->n_fds = 0;
	json_decref(r->body);
	r->body = NULL;
}
