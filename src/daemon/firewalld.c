/* SPDX-License-Identifier: GPL-2.0-or-later */
/* firewalld.c - see firewalld.h. Its interface: man firewalld.dbus(5). */
#include "daemon/firewalld.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/log.h"

#define NAME "org.fedoraproject.FirewallD1"
#define PATH "/org/fedoraproject/FirewallD1"
#define ZONE_IFACE NAME ".zone"
#define BUS_SOCKET "/run/dbus/system_bus_socket"
#define ANSWER_US 30000000 /* it is slow while it loads its rules */

/**
 * struct member - a bridge that is to be in the zone
 * @in:		it is, as far as is known
 * @asked:	a call about it is on its way, to put it there if @adding; it is not freed meanwhile
 * @zone:	that somebody else has put it into, "" for none
 * @wanted:	by the networks of the last look
 */
struct member {
	struct firewalld *f;
	char network[NAME_MAX_LEN + 1];
	char bridge[IFNAMSIZ];
	bool in;
	bool asked;
	bool adding;
	bool wanted;
	char zone[64];
	UT_hash_handle hh;
};

/**
 * struct firewalld - the other side
 * @bus:	NULL while there is no message bus
 * @known:	it was asked since there is a bus, which tells when it comes
 * @runs:	it answers; @has_zone: and knows the zone
 * @looking:	it is being asked for its zones; @again: and shall be once more
 * @refused:	what it said when it refused, "" when it did not
 */
struct firewalld {
	struct manager *m;
	sd_bus *bus;
	bool known;
	bool runs;
	bool has_zone;
	bool looking;
	bool again;
	char refused[200];
	struct member *members;
};

static void look(struct firewalld *f);

/* ---- calls ---- */

/* @type: the arguments', as in sd_bus_message_append(): "" or "ss". */
static int call(struct firewalld *f, const char *interface, const char *method,
		sd_bus_message_handler_t fn, void *ctx, const char *a, const char *b)
{
	sd_bus_message *msg = NULL;
	int r = sd_bus_message_new_method_call(f->bus, &msg, NAME, PATH, interface, method);

	/* Whoever has stopped it does not want it to run. */
	if (r >= 0)
		r = sd_bus_message_set_auto_start(msg, false);
	if (r >= 0 && a)
		r = sd_bus_message_append(msg, "ss", a, b);
	if (r >= 0)
		r = sd_bus_call_async(f->bus, NULL, msg, fn, ctx, ANSWER_US);
	sd_bus_message_unref(msg);
	return r < 0 ? r : 0;
}

static void bus_close(struct firewalld *f)
{
	struct member *p, *next;

	sd_bus_close_unref(f->bus);
	f->bus = NULL;
	f->known = f->runs = f->has_zone = f->looking = f->again = false;
	HASH_ITER (hh, f->members, p, next)
		p->in = p->asked = false;
}

/* ---- one interface ---- */

static struct member *find(struct firewalld *f, const char *bridge)
{
	struct member *p;

	HASH_FIND_STR(f->members, bridge, p);
	return p;
}

static void drop(struct firewalld *f, struct member *p)
{
	HASH_DEL(f->members, p);
	free(p);
}

static void keep_refusal(struct firewalld *f, const sd_bus_error *e)
{
	char text[sizeof(f->refused)];

	snprintf(text, sizeof(text), "%s", e->message ? e->message : e->name);
	text[strcspn(text, "\n")] = '\0';
	if (strcmp(text, f->refused) != 0)
		log_warning("firewalld refuses to put bridges into its zone %s: %s", FIREWALLD_ZONE,
			    text);
	strcpy(f->refused, text);
}

static int on_asked(sd_bus_message *msg, void *ctx, sd_bus_error *unused)
{
	const sd_bus_error *e = sd_bus_message_get_error(msg);
	struct member *p = ctx;
	struct firewalld *f = p->f;

	(void)unused;
	if (e && p->adding)
		keep_refusal(f, e);
	else
		f->refused[0] = '\0';
	p->asked = false;
	p->in = p->adding && !e;
	if (p->in)
		log_notice("firewalld is here: bridge %s is in its zone %s", p->bridge,
			   FIREWALLD_ZONE);
	if (!p->wanted && !p->in)
		drop(f, p);
	else if (p->wanted != p->in && !e)
		look(f);
	return 0;
}

static void ask(struct firewalld *f, struct member *p, bool adding)
{
	p->adding = adding;
	p->asked = call(f, ZONE_IFACE, adding ? "addInterface" : "removeInterface", on_asked, p,
			FIREWALLD_ZONE, p->bridge) == 0;
}

/* ---- all of them ---- */

static void follow_all(struct firewalld *f)
{
	struct member *p, *next;

	HASH_ITER (hh, f->members, p, next) {
		if (p->asked)
			continue;
		if (p->wanted && !p->in && f->has_zone && !p->zone[0])
			ask(f, p, true);
		else if (!p->wanted && p->in)
			ask(f, p, false);
		else if (!p->wanted)
			drop(f, p);
	}
}

/* The interfaces of @zone: "interfaces" of a{sas}. */
static int read_interfaces(struct firewalld *f, sd_bus_message *msg, const char *zone)
{
	const char *name;
	int r;

	r = sd_bus_message_enter_container(msg, 'a', "s");
	while (r >= 0 && (r = sd_bus_message_read_basic(msg, 's', &name)) > 0) {
		struct member *p = find(f, name);

		if (!p)
			continue;
		p->in = strcmp(zone, FIREWALLD_ZONE) == 0;
		snprintf(p->zone, sizeof(p->zone), "%s", p->in ? "" : zone);
	}
	return r < 0 ? r : sd_bus_message_exit_container(msg);
}

/* a{sa{sas}}: zones, of each "interfaces" and "sources". */
static int read_active(struct firewalld *f, sd_bus_message *msg)
{
	const char *zone, *what;
	int r = sd_bus_message_enter_container(msg, 'a', "{sa{sas}}");

	while (r >= 0 && (r = sd_bus_message_enter_container(msg, 'e', "sa{sas}")) > 0) {
		r = sd_bus_message_read_basic(msg, 's', &zone);
		if (r >= 0)
			r = sd_bus_message_enter_container(msg, 'a', "{sas}");
		while (r >= 0 && (r = sd_bus_message_enter_container(msg, 'e', "sas")) > 0) {
			r = sd_bus_message_read_basic(msg, 's', &what);
			if (r >= 0 && strcmp(what, "interfaces") == 0)
				r = read_interfaces(f, msg, zone);
			else if (r >= 0)
				r = sd_bus_message_skip(msg, "as");
			if (r >= 0)
				r = sd_bus_message_exit_container(msg);
		}
		if (r >= 0)
			r = sd_bus_message_exit_container(msg);
		if (r >= 0)
			r = sd_bus_message_exit_container(msg);
	}
	return r;
}

static void looked(struct firewalld *f)
{
	bool again = f->again;

	f->looking = f->again = false;
	if (again)
		look(f);
}

static int on_active(sd_bus_message *msg, void *ctx, sd_bus_error *unused)
{
	struct firewalld *f = ctx;
	struct member *p, *next;

	(void)unused;
	if (!sd_bus_message_is_method_error(msg, NULL)) {
		HASH_ITER (hh, f->members, p, next) {
			p->in = p->asked && p->in;
			p->zone[0] = '\0';
		}
		if (read_active(f, msg) < 0)
			log_warning("firewalld's list of zones is not as expected");
		else
			follow_all(f);
	}
	looked(f);
	return 0;
}

static int on_zones(sd_bus_message *msg, void *ctx, sd_bus_error *unused)
{
	struct firewalld *f = ctx;
	const char *zone;
	int r;

	(void)unused;
	f->known = true;
	f->runs = !sd_bus_message_is_method_error(msg, NULL);
	f->has_zone = false;
	r = f->runs ? sd_bus_message_enter_container(msg, 'a', "s") : -ENOENT;
	while (r >= 0 && (r = sd_bus_message_read_basic(msg, 's', &zone)) > 0)
		f->has_zone = f->has_zone || strcmp(zone, FIREWALLD_ZONE) == 0;
	if (r < 0 || call(f, ZONE_IFACE, "getActiveZones", on_active, f, NULL, NULL) < 0)
		looked(f);
	return 0;
}

static void look(struct firewalld *f)
{
	if (!f->bus)
		return;
	if (f->looking) {
		f->again = true;
		return;
	}
	f->looking = call(f, ZONE_IFACE, "getZones", on_zones, f, NULL, NULL) == 0;
}

/* ---- the bus ---- */

static int on_news(sd_bus_message *msg, void *ctx, sd_bus_error *unused)
{
	struct firewalld *f = ctx;
	struct member *p, *next;

	(void)msg;
	(void)unused;
	/* It has forgotten what it was told, or may have. */
	HASH_ITER (hh, f->members, p, next)
		p->in = false;
	look(f);
	return 0;
}

static int on_lost(sd_bus_message *msg, void *ctx, sd_bus_error *unused)
{
	(void)msg;
	(void)unused;
	/* Not from within the bus's own call: the next look closes it. */
	((struct firewalld *)ctx)->runs = false;
	return 0;
}

static int bus_open(struct firewalld *f)
{
	int r = access(BUS_SOCKET, F_OK) < 0 ? -ENOENT : sd_bus_open_system(&f->bus);

	if (r >= 0)
		r = sd_bus_attach_event(f->bus, f->m->loop, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = sd_bus_match_signal_async(f->bus, NULL, "org.freedesktop.DBus.Local", NULL,
					      "org.freedesktop.DBus.Local", "Disconnected", on_lost,
					      NULL, f);
	if (r >= 0)
		r = sd_bus_add_match_async(f->bus, NULL,
					   "type='signal',sender='org.freedesktop.DBus',"
					   "member='NameOwnerChanged',arg0='" NAME "'",
					   on_news, NULL, f);
	if (r >= 0)
		r = sd_bus_add_match_async(f->bus, NULL,
					   "type='signal',sender='" NAME "',interface='" NAME
					   "',member='Reloaded'",
					   on_news, NULL, f);
	if (r < 0)
		bus_close(f);
	return r;
}

/* ---- what is wanted ---- */

static void want(struct firewalld *f, const struct network_config *c)
{
	struct member *p = find(f, c->bridge);

	if (!p) {
		p = calloc(1, sizeof(*p));
		if (!p)
			return;
		p->f = f;
		strcpy(p->bridge, c->bridge);
		HASH_ADD_STR(f->members, bridge, p);
	}
	strcpy(p->network, c->name);
	p->wanted = true;
}

static struct firewalld *get(struct manager *m)
{
	if (!m->firewalld)
		m->firewalld = calloc(1, sizeof(*m->firewalld));
	if (m->firewalld)
		m->firewalld->m = m;
	return m->firewalld;
}

static void ensure_bus(struct firewalld *f)
{
	if (f->bus && sd_bus_is_open(f->bus) <= 0)
		bus_close(f);
	if (!f->bus)
		(void)bus_open(f);
}

void firewalld_follow(struct work *w)
{
	struct firewalld *f = get(w->m);
	struct member *p, *next;
	bool changed = false;

	if (!f)
		return;
	HASH_ITER (hh, f->members, p, next)
		p->wanted = false;
	for (size_t i = 0; i < w->desired.n_networks && !w->m->options->no_accepts; i++) {
		const struct network_config *c = w->desired.networks[i].config;

		if (!w->desired.networks[i].external && (network_has_uplink(c) || c->n_peers))
			want(f, c);
	}
	HASH_ITER (hh, f->members, p, next)
		changed = changed || (p->wanted != p->in && !p->zone[0]);
	if (!changed)
		return;
	ensure_bus(f);
	if (!f->known || f->runs)
		look(f);
}

void firewalld_again(struct manager *m)
{
	struct firewalld *f = m->firewalld;

	if (f && f->members) {
		ensure_bus(f);
		look(f);
	}
}

/* ---- telling ---- */

bool firewalld_has(struct manager *m, const char *network)
{
	struct member *p, *next;

	if (!m->firewalld)
		return false;
	HASH_ITER (hh, m->firewalld->members, p, next) {
		if (p->in && strcmp(p->network, network) == 0)
			return true;
	}
	return false;
}

void firewalld_json(struct manager *m, json_t *list)
{
	struct member *p, *next;
	json_int_t in = 0;

	if (!m->firewalld || !m->firewalld->runs)
		return;
	HASH_ITER (hh, m->firewalld->members, p, next)
		in += p->in;
	json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "tool", "firewalld", "place",
					      FIREWALLD_PLACE, "rules", in));
}

void firewalld_problem(struct manager *m, struct err_list *errs)
{
	const struct firewalld *f = m->firewalld;
	struct member *p, *next;

	if (!f || !f->runs)
		return;
	if (!f->has_zone && f->members)
		err_add(errs, -ENOENT, "firewalld-zone", "firewalld",
			"firewalld runs, drops what guests send, and has no zone %s: "
			"firewall-cmd --reload reads that of vmlane's package; without one: "
			"firewall-cmd --permanent --new-zone=%s, firewall-cmd --permanent "
			"--zone=%s --set-target=ACCEPT, firewall-cmd --reload",
			FIREWALLD_ZONE, FIREWALLD_ZONE, FIREWALLD_ZONE);
	else if (f->refused[0])
		err_add(errs, -EACCES, "firewalld-zone", "firewalld",
			"firewalld drops what guests send, and refuses to put their bridges into "
			"its zone %s: %s",
			FIREWALLD_ZONE, f->refused);
	HASH_ITER (hh, f->members, p, next) {
		if (p->wanted && p->zone[0] && strcmp(p->zone, "trusted") != 0)
			log_debug("bridge %s stays in firewalld's zone %s", p->bridge, p->zone);
	}
}

void firewalld_free(struct firewalld *f)
{
	struct member *p, *next;

	if (!f)
		return;
	if (f->bus)
		bus_close(f);
	HASH_ITER (hh, f->members, p, next)
		drop(f, p);
	free(f);
}
