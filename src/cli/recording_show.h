/* SPDX-License-Identifier: GPL-2.0-or-later */
/* recording_show.h - what came of writing a capture file, for `capture` and `trace -w`. */
#ifndef VMLANE_CLI_RECORDING_SHOW_H
#define VMLANE_CLI_RECORDING_SHOW_H

#include "inspect/recording.h"

/* recording_report() - one line on standard error: how many frames there are, and how many were lost. */
void recording_report(const struct recording *c);

#endif
