/* SPDX-License-Identifier: GPL-2.0-or-later */
/* helper_guest.h - which network and which guest name a QEMU means that runs the bridge helper. */
#ifndef VMLANE_CLI_HELPER_GUEST_H
#define VMLANE_CLI_HELPER_GUEST_H

#include <jansson.h>
#include <sys/types.h>
#include "base/addr.h"
#include "base/err.h"
#include "model/network.h"

/**
 * struct helper_guest - the guest to plug in
 * @name:	from QEMU's -name when it can be a guest's name and is free, else "vm-PID", and for
 *		a further NIC "vm-PID-2"
 * @pid:	QEMU's
 * @mac:	of the NIC, as QEMU's command line has it; "" when it has not
 */
struct helper_guest {
	char name[NAME_MAX_LEN + 1];
	pid_t pid;
	char mac[MAC_STRLEN];
};

/*
 * helper_network_find() - the network of @networks (GET /v1/networks) whose bridge, else whose name
 * is @br; *ret is @networks'. 0, or -ENOENT and which there are in @errs.
 */
int helper_network_find(const json_t *networks, const char *br, const char **ret,
			struct err_list *errs) __must_check;

/*
 * helper_name() - the guest's name for a process @pid whose -name is @vm_name ("" when not known),
 * on @network, given the guests that there are (GET /v1/guests).
 */
void helper_name(const json_t *guests, const char *network, const char *vm_name, pid_t pid,
		 char ret[static NAME_MAX_LEN + 1]);

/*
 * helper_mac() - the MAC of the NIC whose backend is `bridge,br=@br` in QEMU's command line @argv
 * (arguments joined by NULs, as in /proc/PID/cmdline, @len bytes and a NUL behind). 0, or -ENOENT
 * when none is given or when there are several such NICs.
 */
int helper_mac(const char *argv, size_t len, const char *br, struct mac *ret) __must_check;

/*
 * helper_guest_find() - the parent process, past a shell that stands between, its name, and the
 * MAC of its NIC on @br.
 */
void helper_guest_find(const json_t *guests, const char *network, const char *br,
		       struct helper_guest *ret);

/* helper_is_shell() - @comm is a shell's: QEMU runs `sh -c` when the helper's string has spaces. */
bool helper_is_shell(const char *comm);

/* helper_stat_ppid() - the parent's pid out of the text of /proc/PID/stat; 0 when it is not one. */
pid_t helper_stat_ppid(const char *stat);

#endif
