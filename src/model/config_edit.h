/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_edit.h - changing single keys of a network's file, as a person would: comments, order and
 * what else was written stay.
 *
 * config_edit.c knows what the change means and has the last word; config_edit_text.c does it in
 * the text, where it can.
 */
#ifndef VMLANE_MODEL_CONFIG_EDIT_H
#define VMLANE_MODEL_CONFIG_EDIT_H

#include "base/buf.h"
#include "model/config.h"
#include "model/node.h"

/**
 * config_edit() - @patch applied to the file @text
 * @file:	the file's name, for mistakes that it has already
 * @patch:	a merge patch (RFC 7396), JSON or YAML: a block of keys with their new values; a null
 *		takes a key away. A block at the top that loses its last key goes with it.
 * @out:	the new text. It is @text with nothing but the values changed, unless that is beyond
 *		config_edit_text(): then it is the canonical form, without comments, and *ret_kept is
 *		false.
 * @ret:	the network that @out describes; owned by the caller
 *
 * Mistakes of the patch, and what is wrong with the network afterwards, have "request" as their
 * place. Returns 0, -EINVAL (see @errs), -ENOMEM.
 */
int config_edit(const char *file, const char *text, size_t len, const char *patch, size_t patch_len,
		struct buf *out, bool *ret_kept, struct network_config **ret,
		struct err_list *errs) __must_check;

/*
 * config_edit_text() - @patch applied to the text in @out. Returns 0, -EOPNOTSUPP where it does not
 * know how (@out is of no use then), -ENOMEM. Whether the result is right is the caller's to check.
 */
int config_edit_text(const struct node *patch, struct buf *out) __must_check;

/* config_edit_value() - @n in flow style, with as few quotes as can be. Nulls are left out. */
void config_edit_value(const struct node *n, struct buf *out);

/*
 * config_edit_is_removal() - @n of a patch takes keys away and gives none: a null, or a block of
 * nothing else.
 */
bool config_edit_is_removal(const struct node *n);

/* config_edit_find() - the child of @map that has this key, or NULL. */
const struct node *config_edit_find(const struct node *map, const char *key);

#endif
