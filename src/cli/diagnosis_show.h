/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnosis_show.h - a diagnosis in words, for people, and as JSON. */
#ifndef VMLANE_CLI_DIAGNOSIS_SHOW_H
#define VMLANE_CLI_DIAGNOSIS_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include "path/diagnose.h"

/* diagnosis_print() - on stdout, below a packet's hops; @again: its code only. */
void diagnosis_print(const struct diagnosis *d, bool color, bool again);
/* diagnosis_json() - the object "diagnosis" of docs/API.md. */
json_t *diagnosis_json(const struct diagnosis *d);

#endif
