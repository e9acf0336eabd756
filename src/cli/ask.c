/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.c - see ask.h. */
#include "cli/ask.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/client.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/request.h"

static const struct {
	const char *name;
	enum craft_kind kind;
	bool has_port;
} protos[] = {
	{"icmp", CRAFT_ECHO, false},
	{"tcp", CRAFT_TCP, true},
	{"udp", CRAFT_UDP, true},
	{"arp", CRAFT_ARP_REQUEST, false},
};

/* "ADDR", "ADDR:PORT", "[ADDR]", "[ADDR]:PORT"; false: neither. */
static bool parse_dest(const char *text, bool has_port, struct probe *p)
{
	const char *colon = has_port ? strrchr(text, ':') : NULL;
	char addr[INET6_ADDRSTRLEN + 2];
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	uint32_t port = 0;

	if (has_port && (!colon || text_u32(colon + 1, 1, 65535, &port) < 0))
		return false;
	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (has_port && memchr(text, ':', len)) {
		return false; /* where does the address end? */
	}
	if (len >= sizeof(addr))
		return false;
	memcpy(addr, text, len);
	addr[len] = '\0';
	p->port = (uint16_t)port;
	p->family = strchr(addr, ':') ? AF_INET6 : AF_INET;
	return inet_pton(p->family, addr, p->dst) == 1;
}

static int parse_options(const char *what, struct ask *q)
{
	struct probe *p = &q->probe;
	uint32_t size = 0;

	if (q->source && inet_pton(p->family, q->source, p->src) != 1)
		return cli_usage_error(
			what, "--source '%s' is no address of the destination's kind", q->source);
	if (q->size && text_u32(q->size, 28, 65000, &size) < 0)
		return cli_usage_error(what, "--size '%s' is not a number from 28 to 65000",
				       q->size);
	p->has_src = q->source;
	p->size = size;
	p->df = size;
	p->from_outside = q->from_outside;
	return EXIT_OK;
}

int ask_question(const char *what, const struct verb_args *a, int at, struct ask *q)
{
	struct probe *p = &q->probe;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(protos); i++)
		if (strcmp(a->arg[at], protos[i].name) == 0)
			break;
	if (i == ARRAY_SIZE(protos))
		return cli_usage_error(what,
				       "'%s' is no protocol that can be probed: icmp, tcp, "
				       "udp or arp",
				       a->arg[at]);
	p->kind = protos[i].kind;
	if (!parse_dest(a->arg[at + 1], protos[i].has_port, p))
		return cli_usage_error(what, "'%s' is no %s", a->arg[at + 1],
				       protos[i].has_port ? "ADDRESS:PORT (of IPv6: [ADDRESS]:PORT)"
							  : "address");
	if (p->kind == CRAFT_ARP_REQUEST && p->family == AF_INET6)
		return cli_usage_error(what, "arp asks for IPv4 addresses: '%s' is none",
				       a->arg[at + 1]);
	return parse_options(what, q);
}

int ask_failed(const struct err *e, int r)
{
	struct err_list list = {0};

	err_list_push(&list, e);
	cli_print_errors(&list);
	return r == -EINVAL ? EXIT_USAGE : EXIT_REFUSED;
}

/* What only the daemon knows of its guests: who they are before they have spoken. */
static void ask_daemon(struct cli *cli, const char *name, struct subject *s)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	char path[CLI_PATH_MAX];
	json_t *guest = NULL;
	struct in_addr addr;
	struct mac mac;

	if (!errs || !name_valid(name)) {
		free(errs);
		return;
	}
	snprintf(path, sizeof(path), "/v1/guests/%s", name);
	if (api_call(cli->socket, "GET", path, NULL, &guest, errs) == 0) {
		if (out_str(guest, "mac") && mac_parse(out_str(guest, "mac"), &mac) == 0) {
			s->mac = mac;
			s->has_mac = true;
		}
		if (!s->n_addrs && out_str(guest, "ipv4") &&
		    ip4_parse(out_str(guest, "ipv4"), &addr) == 0) {
			s->addrs[0] = (struct path_address){.family = AF_INET};
			memcpy(s->addrs[s->n_addrs++].addr, &addr, sizeof(addr));
		}
	}
	json_decref(guest);
	free(errs);
}

int ask_find(struct cli *cli, const char *what, const char *name, struct ask *q)
{
	struct subject_query query = {.name = name, .port = q->port};
	struct err e = {0};
	struct mac mac;
	int r = 0;

	if (q->mac && mac_parse(q->mac, &mac) < 0)
		return cli_usage_error(what, "--mac '%s' is no MAC address", q->mac);
	if (q->netns)
		r = subject_enter_netns(q->netns, &e);
	if (r == 0)
		r = subject_find(&query, &q->subject, &e);
	if (r < 0)
		return ask_failed(&e, r);
	if (name && !q->netns)
		ask_daemon(cli, name, &q->subject);
	if (q->mac) {
		q->subject.mac = mac;
		q->subject.has_mac = true;
	}
	return EXIT_OK;
}

int ask_parse(struct cli *cli, const char *what, const struct verb_args *a, struct ask *q)
{
	int at = q->port ? 0 : 1;
	int r;

	if (a->n != at + 2)
		return cli_usage_error(
			what, "what is asked? vmlane %s %sicmp|arp ADDR, or tcp|udp ADDR:PORT",
			what, at ? "GUEST " : "--port IF ");
	r = ask_question(what, a, at, q);
	return r == EXIT_OK ? ask_find(cli, what, at ? a->arg[0] : NULL, q) : r;
}

void ask_done(struct ask *q)
{
	subject_done(&q->subject);
}
