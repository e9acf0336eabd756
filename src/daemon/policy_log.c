/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy_log.c - see policy_log.h. The kernel tells of at most 10 packets a second and way to match; the
 * rule's counter has all of them.
 */
#include "daemon/policy_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/events.h"
#include "firewall/nflog.h"
#include "firewall/policy.h"

struct policy_log {
	struct nflog *nflog;
	sd_event_source *source;
};

/* The rule that @prefix, "NETWORK/ID", means; NULL: it is gone. */
static const struct policy_rule *rule_of(const struct network_rt *n, const char *id)
{
	char of[FW_POLICY_ID_STRLEN];

	for (size_t i = 0; i < n->config->policy.n_rules; i++)
		if (strcmp(fw_policy_id(&n->config->policy.rules[i], of), id) == 0)
			return &n->config->policy.rules[i];
	return NULL;
}

/* Of what comes to a guest, whose address it is. */
static const char *guest_at(struct manager *m, const struct network_rt *n, struct in_addr addr)
{
	const struct lease *l;
	const struct guest_rt *g;

	for (size_t i = 0; i < n->config->n_guests; i++)
		if (n->config->guests[i].has_ipv4 && ip4_equal(n->config->guests[i].ipv4, addr))
			return n->config->guests[i].name;
	l = n->dhcp ? lease_find_addr(lease_server_table(n->dhcp), addr) : NULL;
	g = l ? manager_guest_by_mac(m, &l->mac) : NULL;
	return g ? g->g.name : NULL;
}

static void on_packet(const struct nflog_packet *p, void *ctx)
{
	char network[NAME_MAX_LEN + 1], rule[POLICY_RULE_STRLEN], words[160];
	const char *slash = strchr(p->prefix, '/'), *guest = NULL;
	const struct policy_rule *r;
	const struct guest_rt *g;
	struct network_rt *n;
	struct manager *m = ctx;
	struct in_addr dst;

	if (!slash || slash - p->prefix > NAME_MAX_LEN)
		return;
	memcpy(network, p->prefix, (size_t)(slash - p->prefix));
	network[slash - p->prefix] = '\0';
	n = manager_network(m, network);
	r = n ? rule_of(n, slash + 1) : NULL;
	if (!r)
		return;
	nflog_words(p->data, p->len, words, sizeof(words), &dst);
	if (r->direction == POLICY_IN) {
		guest = guest_at(m, n, dst);
	} else {
		g = p->has_mac ? manager_guest_by_mac(m, &p->mac) : NULL;
		guest = g ? g->g.name : NULL;
	}
	policy_rule_format(r, rule);
	events_emit(m, "filter", network, guest,
		    json_pack("{s:s, s:s, s:s}", "rule", rule, "action",
			      policy_action_name(r->action), "packet", words),
		    "%s%s%s: %s (%s)", network, guest ? " " : "", guest ? guest : "", words, rule);
}

static int on_readable(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct manager *m = ctx;
	int r = nflog_read(m->policy_log->nflog, on_packet, m);

	(void)s;
	(void)fd;
	(void)revents;
	if (r < 0 && r != -ENOBUFS)
		log_warning("packets that rules log cannot be read: %s", strerror(-r));
	return 0;
}

static void end(struct manager *m)
{
	if (!m->policy_log)
		return;
	sd_event_source_disable_unref(m->policy_log->source);
	nflog_free(m->policy_log->nflog);
	free(m->policy_log);
	m->policy_log = NULL;
}

void policy_log_listen(struct manager *m, bool any)
{
	struct err e = {0};
	int r;

	if (!any)
		end(m);
	if (!any || m->policy_log)
		return;
	m->policy_log = calloc(1, sizeof(*m->policy_log));
	if (!m->policy_log)
		return;
	r = nflog_new(FW_POLICY_LOG_GROUP, &m->policy_log->nflog, &e);
	if (r == 0)
		r = sd_event_add_io(m->loop, &m->policy_log->source, nflog_fd(m->policy_log->nflog),
				    EPOLLIN, on_readable, m);
	if (r < 0) {
		log_warning("packets that rules log are not told: %s",
			    e.code[0] ? e.message : strerror(-r));
		end(m);
	}
}
