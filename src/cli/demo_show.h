/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * demo_show.h - the demo's text: headings, progress, tables, the line of boxes. It draws from the
 * facts (JSON) that the steps noted; it knows nothing by itself.
 */
#ifndef VMLANE_CLI_DEMO_SHOW_H
#define VMLANE_CLI_DEMO_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/macro.h"

/**
 * struct show - where and how to draw
 * @quiet:	-o json: nothing is drawn
 * @color:	colours may be used
 * @tty:	a line can be drawn over
 * @width:	columns of the terminal, 0 when it is none
 * @waiting:	what is being waited for, "" when nothing; @since_us, @told_s: since when, and
 *		the seconds told last
 * @step:	number of the last heading
 */
struct show {
	bool quiet;
	bool color;
	bool tty;
	unsigned int width;
	char waiting[96];
	uint64_t since_us;
	unsigned int told_s;
	unsigned int step;
};

void show_init(struct show *s, bool color, bool quiet);
void show_line(struct show *s, const char *fmt, ...) __printf(2, 3);
/* show_heading() - a numbered step. */
void show_heading(struct show *s, const char *fmt, ...) __printf(2, 3);

/*
 * show_wait_begin() - from now on this is waited for: nothing is shown in the first second.
 * show_wait_tick() - call about once a second meanwhile; show_wait_end() when it is there.
 */
void show_wait_begin(struct show *s, const char *fmt, ...) __printf(2, 3);
void show_wait_tick(struct show *s);
void show_wait_end(struct show *s);

void show_world(struct show *s, const json_t *world);
void show_guests(struct show *s, const json_t *guests);
void show_dhcp(struct show *s, const json_t *dhcp);
void show_inventory(struct show *s, const json_t *guests);
void show_macs(struct show *s, const json_t *macs);
/* show_path() - a packet's hops out and back, and the line of boxes. */
void show_path(struct show *s, const json_t *path);
void show_inbound(struct show *s, const json_t *list);
void show_neighbours(struct show *s, const json_t *list);
/* show_failure() - the reason, and the end of the log that tells more. On stderr. */
void show_failure(const struct show *s, const char *reason, const char *log);

#endif
