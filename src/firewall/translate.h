/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate.h - the part of the ruleset that gives guests' connections another source address, for
 * this folder only. Pure, as ruleset.h is.
 */
#ifndef VMLANE_FIREWALL_TRANSLATE_H
#define VMLANE_FIREWALL_TRANSLATE_H

#include "base/buf.h"
#include "firewall/lines.h"
#include "firewall/ruleset.h"

/* fw_translate_check() - -EINVAL: network @n, of mode nat, has no proper port range. */
int fw_translate_check(const struct fw_network *n) __must_check;
/* fw_translate_elements() - by which chain what leaves @n, of mode nat, is translated. */
void fw_translate_elements(const struct fw_network *n, struct lines *out);
/*
 * fw_translate_chains() - a chain for each different way in which networks of @d are translated, and
 * chain `lifetimes` for lifetime.c.
 * Returns 0 or -ENOMEM; what does not fit is in @out->error.
 */
int fw_translate_chains(const struct fw_desired *d, struct buf *out) __must_check;

#endif
