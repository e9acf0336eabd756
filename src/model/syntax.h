/* SPDX-License-Identifier: GPL-2.0-or-later */
/* syntax.h - libyaml's errors in plain words and at the place to mend. Inside src/model only. */
#ifndef VMLANE_MODEL_SYNTAX_H
#define VMLANE_MODEL_SYNTAX_H

#include <yaml.h>
#include "model/node.h"

/* syntax_mistake() - report the error @p stopped with (not a memory error) to @d. */
void syntax_mistake(struct document *d, const yaml_parser_t *p, const char *text, size_t len);

#endif
