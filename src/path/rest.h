/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rest.h - programs that only look whether a packet to follow has come, for the tracer while it rests.
 *
 * They hang on descriptors, as the tracer's do. Kernels before 6.6 have no TCX: no rest there.
 */
#ifndef VMLANE_PATH_REST_H
#define VMLANE_PATH_REST_H

#include <stdbool.h>
#include "base/macro.h"
#include "bpf/path_event.h"

struct bpf_object;
struct rest;

/*
 * rest_new() - load the programs, with the maps and variables of @with (path.bpf.c, loaded), which has to
 * live as long, and with @config, which is copied. -errno of the kernel, -EINVAL when it has no TCX.
 */
int rest_new(struct bpf_object *with, const struct path_config *config,
	     struct rest **ret) __must_check;
void rest_free(struct rest *r);
DEFINE_CLEANUP(struct rest *, rest_free)

/* rest_watch() - look at what comes in (@in) or goes out at a device; -ENODEV when there is none such. */
int rest_watch(struct rest *r, int ifindex, bool in) __must_check;

/* rest_unwatch() - look at no device any more. */
void rest_unwatch(struct rest *r);

#endif
