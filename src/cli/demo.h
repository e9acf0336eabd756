/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * demo.h - what the parts of `vmlane demo` share. The walk: cmd_demo.c (options, life) ->
 * demo_world.c (namespaces, the Internet, vmlaned) -> demo_guest.c (the two guests) -> demo_steps.c
 * (what is shown, and checked) with demo_path.c (which frames are one packet) -> demo_show.c (text).
 *
 * The demo's own process is the first one (pid 1) of the namespaces in which all of it runs: when it
 * ends, however it ends, the kernel takes everything else away.
 */
#ifndef VMLANE_CLI_DEMO_H
#define VMLANE_CLI_DEMO_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/addr.h"
#include "base/err.h"
#include "base/macro.h"
#include "cli/cli.h"
#include "cli/demo_dhcp.h"
#include "cli/demo_proc.h"
#include "cli/demo_show.h"
#include "path/watch.h"

#define DEMO_DIR "/run/vmlane-demo" /* of the demo's own /run; on the real one what --keep notes */
#define DEMO_SOCKET "/run/vmlane/api.sock"
#define DEMO_NETWORK "default"
#define DEMO_SUBNET "192.168.122.0/24"
#define DEMO_UPLINK "eth0"
#define DEMO_HOST_ADDR "203.0.113.2"	 /* RFC 5737: addresses for examples */
#define DEMO_INTERNET_ADDR "203.0.113.1" /* the provider's router and resolver */
#define DEMO_SERVER_ADDR "198.51.100.7"	 /* a server farther out */
#define DEMO_SERVER_NAME "www.example"	 /* RFC 2606 */
#define DEMO_INTERNET_NS "/run/netns/internet"

#define DEMO_GUESTS 2
#define DEMO_PROCS_MAX 16

/**
 * struct demo_options - what was asked for
 * @vm:		web1 is a virtual machine
 * @keep:	leave it running
 * @kernel, @initrd, @kernel_version: from guest-image.sh when @vm
 * @cache:	guest-image.sh's cache, NULL: its default
 */
struct demo_options {
	bool vm;
	bool keep;
	char kernel[PATH_MAX];
	char initrd[PATH_MAX];
	char kernel_version[64];
	const char *cache;
};

#define DEMO_INPUT_MAX 65536

/**
 * struct demo_guest - one of the two guests
 * @vm:		a virtual machine, otherwise a namespace
 * @vmm:	its process, NULL before the start
 * @ctl:	control channel (guest-init.sh): commands in, output out; -1: none
 * @console:	a virtual machine's first serial port; -1: none
 * @alive:	the console has said something
 * @ready:	the guest has told its address
 * @in:		what came from @ctl and was not read yet, @in_len bytes
 * @address:	as the guest itself told it, "" before
 * @log:	what to show when it fails
 * @mac, @tap:	as the daemon tells
 */
struct demo_guest {
	char name[16];
	bool vm;
	struct demo_proc *vmm;
	int ctl;
	int console;
	bool alive;
	bool ready;
	char in[DEMO_INPUT_MAX];
	size_t in_len;
	char address[IP4_STRLEN];
	char log[64];
	char mac[MAC_STRLEN];
	char tap[32];
};

/**
 * struct demo - all of it
 * @internet_ns: network namespace of the Internet
 * @signal_fd:	SIGCHLD
 * @procs:	what runs, @n_procs
 * @watch:	the watched interfaces, may be NULL; @on_frame is called with each frame
 * @dhcp:	the DHCP messages seen so far; owned
 * @bridge:	the network's bridge
 * @accel:	"kvm" or "tcg", "" without a virtual machine; @accel_why: why not kvm
 * @facts:	what was seen and done, as `vmlane demo -o json` prints it; what is drawn comes from here
 * @reason:	why it failed, "" otherwise; @log: the file that tells more, "" when none
 */
struct demo {
	const struct demo_options *o;
	struct show show;
	int internet_ns;
	int signal_fd;
	struct demo_proc procs[DEMO_PROCS_MAX];
	size_t n_procs;
	struct watch *watch;
	watch_fn on_frame;
	void *frame_ctx;
	struct dhcp_log *dhcp;
	char bridge[32];
	struct demo_guest guests[DEMO_GUESTS];
	char accel[8];
	char accel_why[96];
	json_t *facts;
	char reason[640];
	char log[64];
};

/* demo_fail() - note why and where to read more (@log may be NULL); returns @r. */
int demo_fail(struct demo *d, int r, const char *log, const char *fmt, ...) __printf(4, 5);

/*
 * demo_pump() - wait for anything to happen (frames, guests' words, ends of processes) and deal with
 * it. 0 then; -ETIMEDOUT once @deadline_us (clock_boot_us()) has passed; -ECHILD with the reason
 * noted when a process that must run has ended.
 */
int demo_pump(struct demo *d, uint64_t deadline_us) __must_check;

/* demo_watch() - watch @ifnames from now on, instead of what was watched before; @n 0: nothing. */
int demo_watch(struct demo *d, const char *const *ifnames, size_t n, watch_fn fn,
	       void *ctx) __must_check;

/* demo_drain() - deal with the frames that are there already. */
int demo_drain(struct demo *d) __must_check;

/* ---- demo_world.c ---- */

/* demo_world_enter() - in the new namespaces: mounts, hostname, the Internet and the link to it. */
int demo_world_enter(struct demo *d) __must_check;
/* demo_world_daemon() - vmlaned, until it says that it is ready; then the network. */
int demo_world_daemon(struct demo *d) __must_check;
/* demo_internet_ip() - run lines of `ip -batch` in the Internet. */
int demo_internet_ip(struct demo *d, const char *commands) __must_check;
/* demo_socket() - a socket in network namespace @ns_fd; the caller's namespace stays. */
int demo_socket(int ns_fd, int type) __must_check;

/* ---- demo_guest.c ---- */

/* demo_guests_start() - both, until both have told their address. */
int demo_guests_start(struct demo *d) __must_check;
/*
 * demo_guest_run() - run shell command @cmd in the guest. Its output is in @out (may be NULL); *ret
 * is its exit status. @timeout_s as for a deadline.
 */
int demo_guest_run(struct demo *d, struct demo_guest *g, const char *cmd, unsigned int timeout_s,
		   struct buf *out, int *ret) __must_check;
/* demo_guest_input() - read what came over the control channel or console. */
void demo_guest_input(struct demo_guest *g, bool from_console);

/* ---- demo_steps.c ---- */

/* demo_steps_dhcp_begin() - from now on note the DHCP messages on the bridge. */
int demo_steps_dhcp_begin(struct demo *d) __must_check;
/* demo_steps_run() - everything that is shown; 0, or -errno with the reason noted. */
int demo_steps_run(struct demo *d) __must_check;

/* ---- demo_keep.c ---- */

/* demo_keep_lock() - be the one demo that is kept; the descriptor, or -EEXIST (said). */
int demo_keep_lock(void) __must_check;
/* demo_keep_unlock() - nothing was kept after all; @fd may be negative. */
void demo_keep_unlock(int fd);
/* demo_keep_note() - @pid is the first process of the kept demo. */
int demo_keep_note(pid_t pid) __must_check;
/* demo_stop(), demo_enter() - what the options say; the exit code. */
int demo_stop(void);
int demo_enter(const char *where, char **command);

#endif
