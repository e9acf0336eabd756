/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * demo_guest.c - the demo's guests: a virtual machine in QEMU and a namespace guest, both plugged in by
 * `vmlane run` as anybody would, both running guest-init.sh, which says over a control channel when
 * it has its address and then does what it is told.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/demo.h"
#include "cli/demo_vm.h"

#define CONNECT_S 20
#define LIFE_S 6 /* a machine under KVM says its first word in a fraction of a second */
#define READY_KVM_S 30
#define READY_S 180 /* TCG on a busy machine */

/* ---- what guests say ---- */

static void take_line(struct demo_guest *g, const char *line)
{
	static const char ready[] = "VMLANE-READY ";

	struct in_addr addr;

	if (strncmp(line, ready, sizeof(ready) - 1) != 0)
		return;
	/* Without an address the guest is up all the same: that is told apart later. */
	if (ip4_parse(line + sizeof(ready) - 1, &addr) == 0)
		ip4_format(addr, g->address);
	g->ready = true;
}

/* The next whole line of @g->in into @line; false when there is none yet. */
static bool next_line(struct demo_guest *g, char *line, size_t size)
{
	char *end = memchr(g->in, '\n', g->in_len);
	size_t len;

	if (!end)
		return false;
	len = (size_t)(end - g->in);
	snprintf(line, size, "%.*s", (int)len, g->in);
	g->in_len -= len + 1;
	memmove(g->in, end + 1, g->in_len);
	return true;
}

void demo_guest_input(struct demo_guest *g, bool from_console)
{
	int *fd = from_console ? &g->console : &g->ctl;
	char dump[4096];
	ssize_t n;

	/* A console is only watched for signs of life: QEMU writes the log itself. */
	if (from_console)
		n = read(*fd, dump, sizeof(dump));
	else
		n = read(*fd, g->in + g->in_len, sizeof(g->in) - g->in_len);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		fd_closep(fd);
		*fd = -1;
		return;
	}
	g->alive = true;
	if (from_console)
		return;
	g->in_len += (size_t)n;
	if (!g->ready) {
		char line[256];

		while (!g->ready && next_line(g, line, sizeof(line)))
			take_line(g, line);
	}
	/* A guest that says more than this in one go is not one of ours. */
	if (g->in_len == sizeof(g->in))
		g->in_len = 0;
}

static int run_timeout(struct demo *d, struct demo_guest *g, const char *cmd, unsigned int s)
{
	return demo_fail(d, -ETIMEDOUT, g->log, "%s did not finish within %u s: %s", g->name, s,
			 cmd);
}

/* Read output lines until the one that ends it. 1 then, 0 when there is more to come. */
static int run_output(struct demo_guest *g, struct buf *out, int *ret)
{
	static const char end[] = "VMLANE-END ";
	char line[4096];

	while (next_line(g, line, sizeof(line))) {
		if (strncmp(line, end, sizeof(end) - 1) == 0) {
			*ret = (int)strtol(line + sizeof(end) - 1, NULL, 10);
			return 1;
		}
		if (out)
			buf_printf(out, "%s\n", line);
	}
	return 0;
}

int demo_guest_run(struct demo *d, struct demo_guest *g, const char *cmd, unsigned int timeout_s,
		   struct buf *out, int *ret)
{
	uint64_t deadline = clock_boot_us() + timeout_s * 1000000ull;
	int status = -1;
	int r = 0;

	if (g->ctl < 0 || dprintf(g->ctl, "%s\n", cmd) < 0)
		return demo_fail(d, -EPIPE, g->log, "%s does not listen any more", g->name);
	while (!run_output(g, out, &status)) {
		r = demo_pump(d, deadline);
		if (r == -ETIMEDOUT)
			return run_timeout(d, g, cmd, timeout_s);
		if (r)
			return r;
		if (g->ctl < 0)
			return demo_fail(d, -EPIPE, g->log, "%s went away during: %s", g->name,
					 cmd);
	}
	*ret = status;
	return 0;
}

/* ---- starting ---- */

static struct demo_proc *guest_proc(struct demo *d, struct demo_guest *g)
{
	struct demo_proc *p = g->vmm ? g->vmm : &d->procs[d->n_procs++];

	*p = (struct demo_proc){0};
	snprintf(p->name, sizeof(p->name), "the guest %s", g->name);
	snprintf(p->log, sizeof(p->log), "%s", g->log);
	g->vmm = p;
	return p;
}

static int namespace_start(struct demo *d, struct demo_guest *g)
{
	char vmlane[PATH_MAX], nsguest[PATH_MAX], init[PATH_MAX], pid[64], ns[64], dir[64];
	const char *const argv[] = {
		vmlane,		  "--socket", DEMO_SOCKET, "run",   "--network",  DEMO_NETWORK,
		"--name",	  g->name,    "--",	   nsguest, "--fd",	  "{fd}",
		"--mac",	  "{mac}",    "--name",	   g->name, "--pid-file", pid,
		"--keep-ns-path", ns,	      "--",	   init,    NULL};
	struct demo_spawn s = {.argv = argv, .log = g->log};
	struct err e;
	int pair[2];
	int r;

	if (cli_program_path("vmlane", vmlane, sizeof(vmlane)) ||
	    cli_program_path("vmlane-nsguest", nsguest, sizeof(nsguest)) ||
	    cli_program_path("vmlane-guest-init", init, sizeof(init)))
		return demo_fail(d, -ENOENT, NULL,
				 "vmlane, vmlane-nsguest and vmlane-guest-init are not all there: "
				 "build or install all of vmlane");
	snprintf(pid, sizeof(pid), DEMO_DIR "/%s.pid", g->name);
	snprintf(ns, sizeof(ns), "/run/netns/%s", g->name);
	snprintf(dir, sizeof(dir), DEMO_DIR "/%s", g->name);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return demo_fail(d, -errno, NULL, "socketpair: %s", strerror(errno));
	s.in = s.out = pair[1];
	setenv("VMLANE_GUEST_DIR", dir, 1);
	r = demo_spawn(&s, &guest_proc(d, g)->pid, &e);
	unsetenv("VMLANE_GUEST_DIR");
	close(pair[1]);
	if (r) {
		close(pair[0]);
		return demo_fail(d, r, NULL, "%s: %s", e.where, e.message);
	}
	g->ctl = pair[0];
	return 0;
}

static int listen_at(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	unlink(path);
	if (!bind(fd, (struct sockaddr *)&at, sizeof(at)) && !listen(fd, 1))
		return fd;
	r = -errno;
	close(fd);
	return r;
}

/* QEMU connects to us, so that not a word of the guest is lost. */
static int accept_from(struct demo *d, struct demo_guest *g, int listener, int *ret)
{
	uint64_t deadline = clock_boot_us() + CONNECT_S * 1000000ull;

	for (;;) {
		struct pollfd p[] = {{.fd = listener, .events = POLLIN},
				     {.fd = d->signal_fd, .events = POLLIN}};
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		int r;

		if (fd >= 0) {
			*ret = fd;
			return 0;
		}
		poll(p, ARRAY_SIZE(p), 1000);
		r = demo_pump(d, clock_boot_us());
		if (r == -ETIMEDOUT && clock_boot_us() >= deadline)
			return demo_fail(d, r, g->log, "QEMU did not start within %d s", CONNECT_S);
		if (r && r != -ETIMEDOUT)
			return r;
	}
}

static int vm_connect(struct demo *d, struct demo_guest *g, const struct demo_vm *vm)
{
	_cleanup_(fd_closep) int ctl = listen_at(vm->ctl);
	_cleanup_(fd_closep) int console = listen_at(vm->console);
	struct demo_spawn s = {.argv = vm->argv, .log = g->log};
	struct err e;
	int r;

	if (ctl < 0 || console < 0)
		return demo_fail(d, ctl < 0 ? ctl : console, NULL, "%s: %s", vm->ctl,
				 strerror(ctl < 0 ? -ctl : -console));
	r = demo_spawn(&s, &guest_proc(d, g)->pid, &e);
	if (r)
		return demo_fail(d, r, NULL, "%s: %s", e.where, e.message);
	r = accept_from(d, g, console, &g->console);
	return r ? r : accept_from(d, g, ctl, &g->ctl);
}

static int vm_start(struct demo *d, struct demo_guest *g, const char *accel)
{
	struct demo_vm vm;

	snprintf(d->accel, sizeof(d->accel), "%s", accel);
	g->alive = g->ready = false;
	g->in_len = 0;
	if (demo_vm_describe(d->o, g, accel, &vm))
		return demo_fail(d, -ENOENT, NULL, "vmlane is not beside this program");
	return vm_connect(d, g, &vm);
}

/* A machine that was started in vain. Its end is awaited: its name is taken until then. */
static void vm_give_up(struct demo_guest *g)
{
	if (g->vmm && g->vmm->pid) {
		kill(g->vmm->pid, SIGKILL);
		waitpid(g->vmm->pid, NULL, 0);
		g->vmm->pid = 0;
	}
	fd_closep(&g->ctl);
	fd_closep(&g->console);
	g->ctl = g->console = -1;
}

static int await_flag(struct demo *d, const bool *flag, unsigned int limit_s)
{
	uint64_t deadline = clock_boot_us() + limit_s * 1000000ull;
	int r = 0;

	while (!*flag && !r)
		r = demo_pump(d, deadline);
	return r;
}

/* Whether KVM boots a guest cannot be told but by trying: /dev/kvm can be there and hang. */
static int vm_try_kvm(struct demo *d, struct demo_guest *g)
{
	int r;

	show_wait_begin(&d->show, "%s boots in QEMU (KVM)", g->name);
	r = vm_start(d, g, "kvm");
	/* A refusal of QEMU's is only this: no KVM. */
	if (!r)
		r = await_flag(d, &g->alive, LIFE_S);
	if (!r)
		r = await_flag(d, &g->ready, READY_KVM_S);
	if (r) {
		vm_give_up(g);
		demo_vm_kvm_failed(d->o);
		snprintf(d->accel_why, sizeof(d->accel_why), "KVM does not boot a guest here");
		d->reason[0] = d->log[0] = '\0';
		snprintf(d->show.waiting, sizeof(d->show.waiting),
			 "%s does not boot in QEMU (KVM), given up", g->name);
	}
	show_wait_end(&d->show);
	return r;
}

static int vm_boot(struct demo *d, struct demo_guest *g)
{
	int r;

	if (demo_vm_kvm_possible(d->o, d->accel_why, sizeof(d->accel_why)) && vm_try_kvm(d, g) == 0)
		return 0;
	show_wait_begin(&d->show, "%s boots in QEMU (TCG, since %s)", g->name, d->accel_why);
	r = vm_start(d, g, "tcg");
	if (!r)
		r = await_flag(d, &g->ready, READY_S);
	show_wait_end(&d->show);
	if (r == -ETIMEDOUT)
		return demo_fail(d, r, g->log, "%s has not got an address %d s after its start",
				 g->name, READY_S);
	return r;
}

static int await_ready(struct demo *d, struct demo_guest *g)
{
	int r;

	show_wait_begin(&d->show, "%s gets its address", g->name);
	r = await_flag(d, &g->ready, READY_S);
	show_wait_end(&d->show);
	if (r == -ETIMEDOUT)
		return demo_fail(d, r, g->log, "%s has not got an address within %d s", g->name,
				 READY_S);
	if (!r && !g->address[0])
		return demo_fail(d, -ENOENT, g->log, "%s has asked for an address in vain",
				 g->name);
	return r;
}

static int guest_facts(struct demo *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < DEMO_GUESTS; i++) {
		const struct demo_guest *g = &d->guests[i];
		char text[256];

		if (g->vm)
			snprintf(text, sizeof(text), "a virtual machine: %s%s%s%s, Linux %s",
				 strcmp(d->accel, "kvm") ? "QEMU TCG" : "QEMU KVM",
				 d->accel_why[0] ? " (" : "", d->accel_why,
				 d->accel_why[0] ? ")" : "", d->o->kernel_version);
		else
			snprintf(text, sizeof(text), "a namespace guest");
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", g->name,
						      "kind", g->vm ? "vm" : "namespace", "accel",
						      g->vm ? d->accel : "", "text", text));
	}
	return json_object_set_new(json_object_get(d->facts, "world"), "guests", list) ? -ENOMEM
										       : 0;
}

int demo_guests_start(struct demo *d)
{
	int r = 0;

	for (size_t i = DEMO_GUESTS; i-- > 0 && !r;) {
		struct demo_guest *g = &d->guests[i];

		/* The quick one first: it has its address long before the machine has booted. */
		r = g->vm ? vm_boot(d, g) : namespace_start(d, g);
	}
	for (size_t i = 0; i < DEMO_GUESTS && !r; i++)
		r = await_ready(d, &d->guests[i]);
	return r ? r : guest_facts(d);
}
