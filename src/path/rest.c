/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rest.c - see rest.h. libbpf 1.1 knows no TCX: its links are made with bpf(2) itself. */
#include "path/rest.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "bpf/path.skel.h"
#include "bpf/rest.skel.h"
#include "path/tcx.h"
#pragma GCC diagnostic pop

/**
 * struct rest - the programs and where they are attached
 * @links:	@n_links descriptors, room for @room
 */
struct rest {
	struct rest_bpf *skel;
	int *links;
	size_t n_links;
	size_t room;
};

/* Both objects have the variables of src/bpf/state.bpf.h, and nothing else, at the same places. */
#define SAME_PLACE(field)                                                                          \
	_Static_assert(offsetof(struct path_bpf__bss, field) ==                                    \
			       offsetof(struct rest_bpf__bss, field),                              \
		       #field)

_Static_assert(sizeof(struct path_bpf__bss) == sizeof(struct rest_bpf__bss), "variables");
SAME_PLACE(guest);
SAME_PLACE(watch_in);
SAME_PLACE(watch_out);
SAME_PLACE(guest_ports);
SAME_PLACE(flow_bloom);
SAME_PLACE(woken);
SAME_PLACE(counters);

static int share_maps(struct rest_bpf *skel, struct bpf_object *with)
{
	struct bpf_map *map, *known;
	int r = 0;

	bpf_object__for_each_map(map, skel->obj)
	{
		if (map == skel->maps.rodata)
			continue;
		known = bpf_object__find_map_by_name(
			with, map == skel->maps.bss ? ".bss" : bpf_map__name(map));
		if (!known)
			return -ENOENT;
		r = bpf_map__reuse_fd(map, bpf_map__fd(known));
		if (r < 0)
			return r;
	}
	return 0;
}

int rest_new(struct bpf_object *with, const struct path_config *config, struct rest **ret)
{
	_cleanup_(rest_freep) struct rest *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->skel = rest_bpf__open();
	if (!r->skel)
		return -errno;
	memcpy((struct path_config *)&r->skel->rodata->config, config, sizeof(*config));
	err = share_maps(r->skel, with);
	if (err == 0)
		err = rest_bpf__load(r->skel);
	if (err < 0)
		return err;
	*ret = r;
	r = NULL;
	return 0;
}

void rest_free(struct rest *r)
{
	if (!r)
		return;
	rest_unwatch(r);
	rest_bpf__destroy(r->skel);
	free(r->links);
	free(r);
}

int rest_watch(struct rest *r, int ifindex, bool in)
{
	struct bpf_program *program = in ? r->skel->progs.on_rest_in : r->skel->progs.on_rest_out;
	int fd;

	if (r->n_links == r->room) {
		size_t room = r->room ? r->room * 2 : 64;
		int *p = reallocarray(r->links, room, sizeof(*p));

		if (!p)
			return -ENOMEM;
		r->links = p;
		r->room = room;
	}
	fd = tcx_attach_first(bpf_program__fd(program), ifindex, !in);
	if (fd < 0)
		return fd;
	r->links[r->n_links++] = fd;
	return 0;
}

void rest_unwatch(struct rest *r)
{
	while (r->n_links)
		close(r->links[--r->n_links]);
}
