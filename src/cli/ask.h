/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.h - "GUEST tcp 198.51.100.7:443" and its options, as probe and explain have them. */
#ifndef VMLANE_CLI_ASK_H
#define VMLANE_CLI_ASK_H

#include "cli/verb.h"
#include "inspect/probe.h"

/**
 * struct ask - who is asked for, and what
 * @source, @size, @port, @mac, @netns: the options of these names, NULL for those not given
 * @from_outside: the option was given
 */
struct ask {
	const char *source;
	const char *size;
	bool from_outside;
	const char *port;
	const char *mac;
	const char *netns;
	struct subject subject;
	struct probe probe;
};

/*
 * ask_parse() - fills in @q->probe and @q->subject from what was typed after verb @what; may go into
 * another network namespace. EXIT_OK, or what was wrong was said. ask_done() in any case.
 */
int ask_parse(struct cli *cli, const char *what, const struct verb_args *a, struct ask *q);
void ask_done(struct ask *q);

/*
 * Its two halves: ask_question() fills in @q->probe from the words from @a->arg[@at] on, and the options;
 * ask_find() the guest called @name (NULL: at @q->port).
 */
int ask_question(const char *what, const struct verb_args *a, int at, struct ask *q);
int ask_find(struct cli *cli, const char *what, const char *name, struct ask *q);

/* ask_failed() - @e is said; the exit code for @r. */
int ask_failed(const struct err *e, int r);

#endif
