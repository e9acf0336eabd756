/* SPDX-License-Identifier: GPL-2.0-or-later */
/* service_guest.c - requests that plug guests in and out. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/events.h"
#include "daemon/guard.h"
#include "daemon/policy.h"
#include "daemon/rates.h"
#include "daemon/service.h"
#include "kernel/tap.h"

#define GROUPS_MAX 256

/* ---- who may ---- */

/* Also whom the daemon runs as: that user can do all that it can. */
static bool is_root(const struct peer *p)
{
	return p->uid == 0 || p->uid == geteuid();
}

static bool in_group(const struct passwd *pw, const char *name)
{
	const struct group *gr = getgrnam(name);
	gid_t groups[GROUPS_MAX];
	int n = GROUPS_MAX;
	gid_t wanted;

	if (!gr)
		return false;
	wanted = gr->gr_gid;
	if (getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) < 0)
		return false;
	for (int i = 0; i < n; i++) {
		if (groups[i] == wanted)
			return true;
	}
	return false;
}

static bool may_use(const struct network_config *c, const struct peer *p)
{
	const struct passwd *pw;

	if (is_root(p) || c->open_access)
		return true;
	pw = getpwuid(p->uid);
	for (size_t i = 0; pw && i < c->n_access; i++) {
		const struct access_entry *a = &c->access[i];

		if (a->is_group ? in_group(pw, a->name) : strcmp(pw->pw_name, a->name) == 0)
			return true;
	}
	return false;
}

/* ---- making the tap ---- */

/* The kernel's news that @name's VMM has ended may be on its way still. */
static void notice_ended(struct manager *m, const char *name)
{
	struct guest_rt *g = manager_guest(m, name);

	if (g && g->g.kind == GUEST_RUN && !guest_has_tap(m, g))
		guest_ended(m, g);
}

/* check_request() - what attach and open share: the names, the network, the permission. */
static int check_request(struct manager *m, const struct peer *p, const struct guest_request *g,
			 struct network_rt **ret, struct err *e)
{
	struct network_rt *n = manager_network(m, g->network);
	const struct guest_rt *other;

	notice_ended(m, g->name);
	other = manager_guest(m, g->name);
	if (!name_valid(g->name))
		return err_set(e, -EINVAL, "bad-name", "name",
			       "'%.64s' is no guest name; expected at most %d of a-z, 0-9, '-', "
			       "'_' and '.', beginning with a letter or digit",
			       g->name, NAME_MAX_LEN);
	if (!n)
		return err_set(e, -ENOENT, "no-network", "network",
			       "there is no network '%.64s'; `vmlane network list` shows those "
			       "there are",
			       g->network);
	if (!may_use(n->config, p))
		return err_set(e, -EPERM, "not-allowed", "network",
			       "uid %u may not use network %s; root can add it to `access` in %s",
			       p->uid, n->name, n->file);
	if (!n->ifindex)
		return err_set(e, -EBUSY, "not-running", "network",
			       "network %s is not running; start it: vmlane network start %s",
			       n->name, n->name);
	if (manager_network(m, g->name))
		return err_set(e, -EEXIST, "duplicate-name", "name",
			       "a network is called '%s'; choose another name for the guest",
			       g->name);
	if (other)
		return err_set(e, -EEXIST, "exists", "name",
			       "guest %s is plugged into network %s already; detach it first "
			       "(vmlane guest detach %s), or choose another name",
			       g->name, other->g.network, g->name);
	*ret = n;
	return 0;
}

/* Names are cut for interfaces: that of another guest or network may become the same. */
static int check_tap(struct manager *m, const char *tap, struct err *e)
{
	const struct network_rt *n = manager_network_by_bridge(m, tap);
	const struct guest_rt *g = manager_guest_by_tap(m, tap);
	struct link_state link;

	if (g)
		return err_set(e, -EEXIST, "duplicate-name", "name",
			       "guest %s has a tap of the same name, %s; choose another name",
			       g->g.name, tap);
	if (n)
		return err_set(e, -EEXIST, "duplicate-name", "name",
			       "network %s has a bridge of the tap's name, %s; choose another name",
			       n->name, tap);
	if (rtnl_link_get(m->rtnl, tap, 0, &link, NULL) == 0)
		return err_set(e, -EEXIST, "in-the-way", tap,
			       "there is an interface of this name already, and it is not this "
			       "guest's; remove it (ip link delete %s) or choose another name",
			       tap);
	return 0;
}

/* The process that a guest is said to live in is shown to others: @pid if it is the peer's. */
static pid_t vmm_pid(const struct peer *p, pid_t pid)
{
	char path[32];
	struct stat st;

	if (pid && is_root(p))
		return pid;
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return pid && stat(path, &st) == 0 && st.st_uid == p->uid ? pid : p->pid;
}

static int fill_guest(struct manager *m, struct network_rt *n, const struct peer *p,
		      const struct guest_request *g, enum guest_kind kind, struct state_guest *ret,
		      struct err *e)
{
	struct state_guest s = {.kind = kind, .queues = g->queues, .creator_uid = p->uid};
	int r;

	strcpy(s.name, g->name);
	strcpy(s.network, n->name);
	ifname_derive(s.name, s.tap);
	s.pid = kind == GUEST_RUN ? (int)vmm_pid(p, g->pid) : 0;
	s.owner_uid = g->owner >= 0 ? (uint32_t)g->owner : TAP_NO_OWNER;
	if (!is_root(p)) {
		if (g->owner >= 0 && (uid_t)g->owner != p->uid)
			return err_set(e, -EPERM, "not-allowed", "owner",
				       "only root may give a tap to another user");
		s.owner_uid = p->uid;
	}
	r = check_tap(m, s.tap, e);
	if (r == 0)
		r = port_vlan_check(m, n, g->name, e);
	if (r == 0)
		r = guest_mac(m, n, g->name, g->mac, &s.mac, e);
	if (r < 0)
		return r;
	*ret = s;
	return 0;
}

/* plug() - name the tap, put it on the bridge, switch it on. */
static int plug(struct manager *m, const struct network_rt *n, const struct state_guest *s,
		struct err *e)
{
	struct desired_tap port = {0};
	char alias[ALIAS_MAX];
	int r;

	snprintf(alias, sizeof(alias), ALIAS_GUEST "%s", s->name);
	r = rtnl_link_set_alias(m->rtnl, s->tap, alias, e);
	if (r == 0 && network_mtu(n) != NETWORK_MTU_DEFAULT)
		r = rtnl_link_set_mtu(m->rtnl, s->tap, network_mtu(n), e);
	if (r == 0)
		r = guard_plug(m, n, s, e);
	if (r == 0)
		r = rtnl_link_enslave(m->rtnl, s->tap, n->config->bridge, e);
	strcpy(port.name, s->tap);
	strcpy(port.bridge, n->config->bridge);
	port_want(n->config, s->name, &s->mac, &port);
	if (r == 0)
		r = port_set(m, &port, e);
	if (r == 0)
		r = rtnl_link_set_up(m->rtnl, s->tap, true, e);
	return r;
}

static int give(struct err_list *errs, int r, struct err *e)
{
	if (!e->code[0])
		err_set(e, r, r == -ENOMEM ? "memory" : "kernel", "", "%s", strerror(-r));
	err_list_push(errs, e);
	return r;
}

int service_guest_attach(void *ctx, const struct peer *p, const struct guest_request *g,
			 json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	struct network_rt *n = NULL;
	struct guest_rt *guest = NULL;
	struct state_guest s;
	struct err e = {0};
	int r = check_request(m, p, g, &n, &e);

	if (r == 0)
		r = fill_guest(m, n, p, g, GUEST_ATTACHED, &s, &e);
	/* The state first: a daemon killed from here on makes the tap when it comes back. */
	if (r == 0)
		r = guest_register(m, &s, &guest, &e);
	if (r < 0)
		return give(errs, r, &e);
	r = policy_plug(m, n, s.name, &e);
	if (r == 0)
		r = tap_create(s.tap, s.queues, s.owner_uid, &e);
	if (r == 0) {
		r = plug(m, n, &s, &e);
		if (r < 0 && rtnl_link_delete(m->rtnl, s.tap, NULL) < 0)
			service_log(p, "tap %s is left over", s.tap);
	}
	if (r < 0) {
		if (guest_forget(m, guest, NULL) < 0)
			service_log(p, "guest %s is left over in the state", s.name);
		guard_unplug(m, s.tap);
		return give(errs, r, &e);
	}
	rates_plug(m, n, guest);
	network_refresh_dhcp(m, n);
	service_log(p, "guest %s attached to network %s", s.name, n->name);
	events_emit(m, "guest-attached", n->name, s.name, json_pack("{s:s}", "tap", s.tap),
		    "%s was plugged into network %s", s.name, n->name);
	return view_guest_show(m, s.name, ret, errs);
}

static void close_fds(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

int service_guest_open(void *ctx, const struct peer *p, const struct guest_request *g, int *fds,
		       size_t *ret_n_fds, json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	struct network_rt *n = NULL;
	struct guest_rt *guest = NULL;
	struct state_guest s;
	struct err e = {0};
	int r = check_request(m, p, g, &n, &e);

	if (r == 0)
		r = fill_guest(m, n, p, g, GUEST_RUN, &s, &e);
	if (r == 0)
		r = tap_open(s.tap, s.queues, fds, &e);
	if (r < 0)
		return give(errs, r, &e);
	r = plug(m, n, &s, &e);
	if (r == 0)
		r = guest_register(m, &s, &guest, &e);
	if (r == 0) {
		r = policy_plug(m, n, s.name, &e);
		if (r < 0 && guest_forget(m, guest, NULL) < 0)
			service_log(p, "guest %s is left over in the state", s.name);
	}
	if (r < 0) {
		close_fds(fds, s.queues); /* the tap goes with them */
		guard_unplug(m, s.tap);
		return give(errs, r, &e);
	}
	rates_plug(m, n, guest);
	network_refresh_dhcp(m, n);
	r = view_guest_show(m, s.name, ret, errs);
	if (r < 0) {
		close_fds(fds, s.queues);
		return r;
	}
	service_log(p, "guest %s plugged into network %s", s.name, n->name);
	events_emit(m, "guest-attached", n->name, s.name, json_pack("{s:s}", "tap", s.tap),
		    "%s was plugged into network %s by process %d", s.name, n->name, s.pid);
	*ret_n_fds = s.queues;
	return 0;
}

int service_guest_detach(void *ctx, const struct peer *p, const char *name, json_t **ret,
			 struct err_list *errs)
{
	struct manager *m = ctx;
	struct guest_rt *g = manager_guest(m, name);
	struct network_rt *n;
	struct err e = {0};
	char tap[IFNAMSIZ];
	int r;

	if (!g)
		return err_add(errs, -ENOENT, "no-guest", "",
			       "no guest '%s' is plugged in; `vmlane guest list` shows those that "
			       "are",
			       name);
	if (!is_root(p) && p->uid != g->g.creator_uid)
		return err_add(errs, -EPERM, "not-allowed", "",
			       "guest %s was plugged in by uid %u; only that user and root may "
			       "detach it",
			       name, g->g.creator_uid);
	n = manager_network(m, g->g.network);
	strcpy(tap, g->g.tap);
	r = guest_forget(m, g, &e);
	if (r == 0) {
		r = rtnl_link_delete(m->rtnl, tap, &e);
		r = r == -ENODEV ? 0 : r;
	}
	if (r == 0) {
		rates_unplug(m, n, name, tap);
		guard_unplug(m, tap);
	}
	if (n)
		network_refresh_dhcp(m, n);
	policy_changed(m, n, name);
	if (r < 0)
		return give(errs, r, &e);
	service_log(p, "guest %s detached", name);
	events_emit(m, "guest-detached", n ? n->name : NULL, name, NULL, "%s was unplugged", name);
	*ret = json_object();
	return *ret ? 0 : -ENOMEM;
}
