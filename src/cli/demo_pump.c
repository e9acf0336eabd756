/* SPDX-License-Identifier: GPL-2.0-or-later */
/* demo_pump.c - the one place where the demo waits: see demo_pump() in demo.h. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/demo.h"

#define TICK_MS 1000

int demo_fail(struct demo *d, int r, const char *log, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->reason, sizeof(d->reason), fmt, ap);
	va_end(ap);
	snprintf(d->log, sizeof(d->log), "%s", log ? log : "");
	return r;
}

int demo_watch(struct demo *d, const char *const *ifnames, size_t n, watch_fn fn, void *ctx)
{
	struct watch *new = NULL;
	char text[1024];
	struct err e;
	int r;

	if (n) {
		r = watch_new(ifnames, n, &new, &e);
		if (r)
			return demo_fail(d, r, NULL, "cannot watch the packets: %s",
					 err_format(&e, text, sizeof(text)));
	}
	watch_free(d->watch);
	d->watch = new;
	d->on_frame = fn;
	d->frame_ctx = ctx;
	return 0;
}

int demo_drain(struct demo *d)
{
	int r = 0;

	while (d->watch && (r = watch_read(d->watch, 0, d->on_frame, d->frame_ctx)) > 0)
		;
	if (r < 0 && r != -EINTR)
		return demo_fail(d, r, NULL, "watching the packets: %s", strerror(-r));
	return 0;
}

static int process_ended(struct demo *d, struct demo_proc *p, int status)
{
	p->ended = true;
	p->status = status;
	p->pid = 0;
	if (p->expected)
		return 0;
	return demo_fail(d, -ECHILD, p->log, "%s ended too early, with %s %d", p->name,
			 WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* Also those that the programs left behind: this is the first process of its namespace. */
static int reap(struct demo *d)
{
	struct signalfd_siginfo si;
	int status, r = 0;
	pid_t pid;

	while (read(d->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < d->n_procs; i++)
			if (d->procs[i].pid == pid && !r)
				r = process_ended(d, &d->procs[i], status);
	return r;
}

static int wait_ms(uint64_t deadline_us)
{
	uint64_t now = clock_boot_us();
	uint64_t left = deadline_us > now ? (deadline_us - now + 999) / 1000 : 0;

	return left < TICK_MS ? (int)left : TICK_MS;
}

static void guests_read(struct demo *d, const struct pollfd *fds)
{
	for (size_t i = 0; i < DEMO_GUESTS; i++) {
		if (fds[2 * i].revents)
			demo_guest_input(&d->guests[i], false);
		if (fds[2 * i + 1].revents)
			demo_guest_input(&d->guests[i], true);
	}
}

int demo_pump(struct demo *d, uint64_t deadline_us)
{
	struct pollfd fds[2 + 2 * DEMO_GUESTS];
	int n;

	fds[0] = (struct pollfd){.fd = d->signal_fd, .events = POLLIN};
	/* poll() passes over negative descriptors. */
	fds[1] = (struct pollfd){.fd = d->watch ? watch_fd(d->watch) : -1, .events = POLLIN};
	for (size_t i = 0; i < DEMO_GUESTS; i++) {
		fds[2 + 2 * i] = (struct pollfd){.fd = d->guests[i].ctl, .events = POLLIN};
		fds[3 + 2 * i] = (struct pollfd){.fd = d->guests[i].console, .events = POLLIN};
	}
	n = poll(fds, ARRAY_SIZE(fds), wait_ms(deadline_us));
	show_wait_tick(&d->show);
	if (n < 0 && errno != EINTR)
		return demo_fail(d, -errno, NULL, "poll: %s", strerror(errno));
	if (n <= 0)
		return clock_boot_us() < deadline_us ? 0 : -ETIMEDOUT;
	if (fds[1].revents) {
		int r = demo_drain(d);

		if (r)
			return r;
	}
	guests_read(d, fds + 2);
	return fds[0].revents ? reap(d) : 0;
}
