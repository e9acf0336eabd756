/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * portguard_attach.h - one program at a port's ingress, by TCX or clsact; for portguard.c only. libbpf 1.1 knows
 * no TCX: bpf(2) itself is asked.
 */
#ifndef VMLANE_KERNEL_PORTGUARD_ATTACH_H
#define VMLANE_KERNEL_PORTGUARD_ATTACH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/macro.h"

/* struct port_program - a program: its descriptor (-1: none) and its id */
struct port_program {
	int fd;
	uint32_t id;
};

/*
 * port_program_at() - which of @v (@n of them) is at the ingress of @ifindex, the first that is; @n: none. Others'
 * programs there do not matter. -errno.
 */
int port_program_at(int ifindex, const struct port_program *v, int n) __must_check;
/* port_program_attach() - @p before all others; in the place of @old, which is there, if not NULL. */
int port_program_attach(int ifindex, const struct port_program *p,
			const struct port_program *old) __must_check;
/* port_program_is_silent() - the kernel tells nobody when a program is taken off, as with TCX. */
bool port_program_is_silent(void);
/* port_program_detach() - 0 also where there is no such port. */
int port_program_detach(int ifindex, const struct port_program *p) __must_check;

#endif
