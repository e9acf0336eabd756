/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forward_check.h - forwards that want the same ports, or ours. Inside src/model only. */
#ifndef VMLANE_MODEL_FORWARD_CHECK_H
#define VMLANE_MODEL_FORWARD_CHECK_H

#include "model/config.h"

/*
 * forward_check_files() - the mistakes of the forwards in @set, among each other and with the ports
 * that the networks' own services have. Each forward is told once, both places named. Returns how
 * many mistakes, or -ENOMEM.
 */
int forward_check_files(const struct config_set *set, struct err_list *errs) __must_check;

#endif
