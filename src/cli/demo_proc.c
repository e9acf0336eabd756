/* SPDX-License-Identifier: GPL-2.0-or-later */
/* demo_proc.c - see demo_proc.h. */
#include "cli/demo_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Descriptors 0, 1 and 2 of the child. */
static int child_stdio(const struct demo_spawn *s)
{
	int in = s->in ? s->in : open("/dev/null", O_RDONLY | O_CLOEXEC);
	int log = STDERR_FILENO;

	if (s->log)
		log = open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (in < 0 || log < 0)
		return -errno;
	if (dup2(in, STDIN_FILENO) < 0 ||
	    dup2(s->out	  ? s->out
		 : s->log ? log
			  : STDOUT_FILENO,
		 STDOUT_FILENO) < 0 ||
	    dup2(log, STDERR_FILENO) < 0)
		return -errno;
	return 0;
}

static void __attribute__((noreturn)) child_main(const struct demo_spawn *s, int report)
{
	sigset_t none;
	int r = 0;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (s->ns_fd && setns(s->ns_fd, CLONE_NEWNET) < 0)
		r = -errno;
	if (!r)
		r = child_stdio(s);
	if (!r) {
		execvp(s->argv[0], (char *const *)s->argv);
		r = -errno;
	}
	if (write(report, &r, sizeof(r)) != (ssize_t)sizeof(r))
		_exit(126);
	_exit(127);
}

int demo_spawn(const struct demo_spawn *s, pid_t *ret, struct err *e)
{
	int report[2];
	int r = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return err_set(e, -errno, "kernel", s->argv[0], "pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		child_main(s, report[1]);
	close(report[1]);
	/* Nothing is said, and the pipe closed, when the program was executed. */
	n = pid < 0 ? -1 : read(report[0], &r, sizeof(r));
	close(report[0]);
	if (pid < 0)
		return err_set(e, -errno, "kernel", s->argv[0], "fork: %s", strerror(errno));
	if (n == (ssize_t)sizeof(r)) {
		waitpid(pid, NULL, 0);
		return err_set(e, r, "exec", s->argv[0], "cannot be started: %s", strerror(-r));
	}
	*ret = pid;
	return 0;
}

static int read_all(int fd, struct buf *out)
{
	char part[4096];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			buf_append(out, part, (size_t)n);
	}
	return out->error;
}

static int finish(const char *const *argv, pid_t pid, const char *log, struct err *e)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(e, -errno, "kernel", argv[0], "wait: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(e, -EIO, "failed", argv[0], "%s %d%s%s",
		       WIFEXITED(status) ? "ended with status" : "was ended by signal",
		       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
		       log ? "; see " : "", log ? log : "");
}

int demo_capture(const char *const *argv, const char *log, struct buf *out, struct err *e)
{
	struct demo_spawn s = {.argv = argv, .log = log};
	int fds[2];
	pid_t pid = 0;
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, -errno, "kernel", argv[0], "pipe: %s", strerror(errno));
	s.out = fds[1];
	r = demo_spawn(&s, &pid, e);
	close(fds[1]);
	if (!r) {
		int read_error = read_all(fds[0], out);

		r = finish(argv, pid, log, e);
		if (!r && read_error)
			r = err_set(e, read_error, "output", argv[0], "its output: %s",
				    strerror(-read_error));
	}
	close(fds[0]);
	return r;
}

int demo_feed(const char *const *argv, const char *text, const char *log, struct err *e)
{
	struct demo_spawn s = {.argv = argv, .log = log};
	size_t len = strlen(text);
	int fds[2];
	pid_t pid = 0;
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, -errno, "kernel", argv[0], "pipe: %s", strerror(errno));
	s.in = fds[0];
	r = demo_spawn(&s, &pid, e);
	close(fds[0]);
	/* Shorter than a pipe is deep, so that this cannot block. */
	if (!r && write(fds[1], text, len) != (ssize_t)len)
		r = err_set(e, -EIO, "kernel", argv[0], "did not take its input");
	close(fds[1]);
	if (r)
		return r;
	return finish(argv, pid, log, e);
}
