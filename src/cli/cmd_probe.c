/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_probe.c - vmlane probe GUEST tcp 198.51.100.7:443: would it get there, and the reply back? */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/diagnosis_show.h"
#include "cli/output.h"
#include "cli/probe_all_show.h"
#include "cli/trace_json.h"
#include "cli/trace_show.h"
#include "cli/verb.h"
#include "inspect/probe_all.h"

enum {
	PROBE_ALL,
	PROBE_TO,
	PROBE_TO6,
	PROBE_SOURCE,
	PROBE_SIZE,
	PROBE_OUTSIDE,
	PROBE_SEND,
	PROBE_PORT,
	PROBE_MAC,
	PROBE_NETNS,
	PROBE_OPTS,
};

static const struct verb_opt opts[] = {
	[PROBE_ALL] = {"all", NULL, "the usual questions one after the other, as a table"},
	[PROBE_TO] = {"to", "ADDR",
		      "with --all: the address outside; " PROBE_OUTSIDE4 " by default"},
	[PROBE_TO6] = {"to6", "ADDR", "the same for IPv6; " PROBE_OUTSIDE6 " by default"},
	[PROBE_SOURCE] = {"source", "ADDR", "the sender's address; by default the guest's own"},
	[PROBE_SIZE] = {"size", "BYTES", "of the whole IP packet, which must not be fragmented"},
	[PROBE_OUTSIDE] = {"from-outside", NULL, "a client outside sends it to DEST"},
	[PROBE_SEND] = {"send", NULL, "let it leave the host, and wait for the real reply"},
	[PROBE_PORT] = {"port", "IF", "the guest at this port of a bridge, or at this tap"},
	[PROBE_MAC] = {"mac", "MAC", "the guest's MAC"},
	[PROBE_NETNS] = {"netns", "NAME", "in this network namespace"},
};
_Static_assert(ARRAY_SIZE(opts) == PROBE_OPTS, "an option for each number");

/* What no single host would answer, or what would never leave the guest; NULL: it can be asked. */
static const char *no_destination(const struct probe *p)
{
	struct in6_addr six;
	struct in_addr four;

	memcpy(&six, p->dst, sizeof(six));
	memcpy(&four, p->dst, sizeof(four));
	if (p->family == AF_INET6) {
		if (ip6_is_multicast(&six))
			return "a group of hosts (multicast), of which none answers for all";
		if (ip6_is_unspecified(&six))
			return "no host's address";
		return ip6_is_loopback(&six) ? "the guest itself: nothing leaves it" : NULL;
	}
	if (IN_MULTICAST(ntohl(four.s_addr)))
		return "a group of hosts (multicast), of which none answers for all";
	if (four.s_addr == htonl(INADDR_BROADCAST))
		return "all hosts of a network (broadcast), of which none answers for all";
	if (ntohl(four.s_addr) >> 24 == 0)
		return "no host's address";
	return ntohl(four.s_addr) >> 24 == 127 ? "the guest itself: nothing leaves it" : NULL;
}

static int parse_one(const struct verb_args *a, int at, struct ask *q)
{
	int r = ask_question("probe", a, at, q);

	if (r == EXIT_OK && no_destination(&q->probe))
		return cli_usage_error("probe", "%s is %s", a->arg[at + 1],
				       no_destination(&q->probe));
	q->probe.send = a->opt[PROBE_SEND];
	return r;
}

static const char *const answers[] = {
	[PROBE_REACHABLE] = "reachable",
	[PROBE_NO_WAY] = "not reachable",
	[PROBE_NO_WAY_BACK] = "no way back",
	[PROBE_NOT_KNOWN] = "not known",
};

/* struct showing - what is printed of a probe. */
struct showing {
	const struct cli *cli;
	const struct subject *subject;
	struct trace_show *show;
	bool started;
};

static bool on_journey(const struct journey *j, const struct tracing *t, bool reply, void *ctx)
{
	struct showing *s = ctx;

	if (!s->started)
		trace_show_use(s->show, t);
	s->started = true;
	return trace_show_journey(s->show, j, true);
}

/* What a packet that was taken off has not met: others' filters, which were asked. */
static void on_judged(int ifindex, const struct egress_judgement *j, bool reply, void *ctx)
{
	const struct showing *s = ctx;
	char name[IFNAMSIZ];
	struct egress_filter f = {
		.dev = device_name(&s->subject->view, ifindex, name),
		.what = j->what,
		.pref = j->pref,
		.why = j->verdict == EGRESS_UNKNOWN ? j->why : NULL,
	};
	struct diagnosis d;

	diagnose_egress(&f, &d);
	if (s->cli->json)
		trace_json_line(json_pack("{s:s, s:b, s:s, s:s, s:s, s:o}", "event", "filter",
					  "reply", reply, "dev", f.dev, "filter", f.what, "verdict",
					  f.why ? "UNKNOWN" : "DROP", "diagnosis",
					  diagnosis_json(&d)));
	else
		diagnosis_print(&d, s->cli->color, false);
	fflush(stdout);
}

static void show_answer(const struct cli *cli, const struct probe *p, enum probe_answer answer)
{
	static const char *const meaning[] = {
		[PROBE_REACHABLE] = "it gets there, and the reply gets back",
		[PROBE_NO_WAY] = "it does not get there",
		[PROBE_NO_WAY_BACK] = "it gets there, but the reply does not get back",
		[PROBE_NOT_KNOWN] =
			"not every filter on the way can be asked: --send tries it for real",
	};
	enum out_color color = answer == PROBE_REACHABLE ? OUT_GREEN : OUT_RED;
	bool asked = p->send || answer == PROBE_NO_WAY || answer == PROBE_NOT_KNOWN;

	if (cli->json) {
		trace_json_line(json_pack("{s:s, s:s, s:b, s:b}", "event", "answer", "answer",
					  answers[answer], "reachable", answer == PROBE_REACHABLE,
					  "sent", p->send));
		return;
	}
	printf("%s%s%s: %s%s\n", out_color(cli->color, color), answers[answer],
	       out_color(cli->color, OUT_PLAIN), meaning[answer],
	       asked ? "" : " (it was taken off at the way out: nobody was asked)");
}

static int probe(struct cli *cli, struct subject *s, struct probe *p)
{
	struct trace_show_options how = {
		.socket = cli->socket, .json = cli->json, .color = cli->color};
	enum probe_answer answer = PROBE_NO_WAY;
	struct showing showing = {.cli = cli, .subject = s};
	struct err e = {0};
	int r = trace_show_new(&how, s, &showing.show);

	if (r < 0)
		return ask_failed(&(struct err){.message = "out of memory"}, r);
	p->judged = on_judged;
	/* What cannot even get in need not be sent. */
	if (p->from_outside || !trace_show_blocked(showing.show, s->ports[0]))
		r = probe_run(s, p, on_journey, &showing, &answer, &e);
	trace_show_free(showing.show);
	if (r < 0)
		return ask_failed(&e, r);
	show_answer(cli, p, answer);
	return answer == PROBE_REACHABLE ? EXIT_OK : EXIT_REFUSED;
}

/* What it would send to itself stays in the guest. */
static bool is_own(const struct subject *s, const struct probe *p)
{
	size_t len = p->family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < s->n_addrs; i++)
		if (s->addrs[i].family == p->family && memcmp(s->addrs[i].addr, p->dst, len) == 0)
			return true;
	return p->has_src && memcmp(p->src, p->dst, len) == 0;
}

static int run_one(struct cli *cli, struct subject *s, struct probe *p)
{
	if (!p->from_outside && is_own(s, p))
		return ask_failed(&(struct err){.message =
							"that is the guest's own address: what it "
							"sends there does not leave it"},
				  -EHOSTUNREACH);
	return probe(cli, s, p);
}

static int parse_all(const struct verb_args *a, struct probe_all_options *o)
{
	const char *to = a->opt[PROBE_TO] ? a->opt[PROBE_TO] : PROBE_OUTSIDE4;
	const char *to6 = a->opt[PROBE_TO6] ? a->opt[PROBE_TO6] : PROBE_OUTSIDE6;

	if (a->opt[PROBE_OUTSIDE] || a->opt[PROBE_SIZE])
		return cli_usage_error("probe", "--all asks the usual: without --from-outside and "
						"--size");
	if (ip4_parse(to, &o->outside) < 0)
		return cli_usage_error("probe", "--to '%s' is no IPv4 address", to);
	if (ip6_parse(to6, &o->outside6) < 0)
		return cli_usage_error("probe", "--to6 '%s' is no IPv6 address", to6);
	if (a->opt[PROBE_SOURCE] && ip4_parse(a->opt[PROBE_SOURCE], &o->source) < 0)
		return cli_usage_error("probe", "--source '%s' is no IPv4 address",
				       a->opt[PROBE_SOURCE]);
	o->has_source = a->opt[PROBE_SOURCE];
	o->send = a->opt[PROBE_SEND];
	return EXIT_OK;
}

static int run_all(struct cli *cli, struct subject *s, struct probe_all_options *o)
{
	struct err e = {0};
	bool ok = false;
	int r;

	o->socket = cli->socket;
	r = probe_all_show(cli, s, o, &ok, &e);
	if (r < 0)
		return ask_failed(&e, r);
	return ok ? EXIT_OK : EXIT_REFUSED;
}

static int run_probe(struct cli *cli, const struct verb_args *a)
{
	struct ask q = {
		.source = a->opt[PROBE_SOURCE],
		.size = a->opt[PROBE_SIZE],
		.from_outside = a->opt[PROBE_OUTSIDE],
		.port = a->opt[PROBE_PORT],
		.mac = a->opt[PROBE_MAC],
		.netns = a->opt[PROBE_NETNS],
	};
	bool all = a->opt[PROBE_ALL];
	struct probe_all_options o = {0};
	int at = q.port ? 0 : 1;
	int r;

	if (a->n != at + (all ? 0 : 2))
		return cli_usage_error(
			"probe",
			"what is asked? vmlane probe %sicmp|arp ADDR, tcp|udp ADDR:PORT, or --all",
			at ? "GUEST " : "--port IF ");
	if (!all && (a->opt[PROBE_TO] || a->opt[PROBE_TO6]))
		return cli_usage_error("probe", "--to and --to6 go with --all");
	r = all ? parse_all(a, &o) : parse_one(a, at, &q);
	if (r == EXIT_OK)
		r = ask_find(cli, "probe", at ? a->arg[0] : NULL, &q);
	if (r == EXIT_OK)
		r = all ? run_all(cli, &q.subject, &o) : run_one(cli, &q.subject, &q.probe);
	ask_done(&q);
	return r;
}

static const struct verb verbs[] = {
	{"probe",
	 "GUEST icmp|arp ADDR | tcp|udp ADDR:PORT | --all [--to ADDR] [--from-outside] [--send] "
	 "[--source ADDR] [--size BYTES]",
	 "ask the kernel with a synthetic packet of a guest",
	 .more = "The packet comes in by the guest's port as if the guest had sent it (which may "
		 "be off), is followed,\n"
		 "and taken off where it would leave the host; then its reply is tried on the way "
		 "back.\n"
		 "Exit status 0: both got there; 2: not. With --all: 0 when all that apply did.\n",
	 .opts = opts, .n_opts = ARRAY_SIZE(opts), .min = 0, .max = VERB_ANY, .run = run_probe},
};

const struct noun noun_probe = {
	.name = "probe",
	.help = "Would it get there? Ask the kernel with a synthetic packet.",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
};
