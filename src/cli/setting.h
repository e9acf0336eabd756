/* SPDX-License-Identifier: GPL-2.0-or-later */
/* setting.h - what stands behind the '=' of `vmlane network set NAME KEY=VALUE`. */
#ifndef VMLANE_CLI_SETTING_H
#define VMLANE_CLI_SETTING_H

#include <jansson.h>

/*
 * setting_value() - @text as JSON, a new reference: null for nothing, a list for "[...]", an object for
 * "{...}" in JSON, else a text. A list is JSON, or its words as people write them: [a, b]. Quotes, of
 * either kind, hold what has commas in it; so does a comma right between two digits of an element
 * with a blank in it, as in the ports of a policy's rule: [deny out tcp 80,443, allow out].
 * NULL: it is neither, or there is no memory.
 */
json_t *setting_value(const char *text);

#endif
