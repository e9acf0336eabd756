/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * demo_keep.c - a demo that was left running: noting it, entering it, ending it.
 *
 * The kept demo's first process holds a lock on a file in DEMO_DIR; as long as somebody does, one is
 * running, and nothing else has to be believed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/demo.h"

#define LOCK_PATH DEMO_DIR "/lock"
#define PID_PATH DEMO_DIR "/pid"
#define END_MS 10000

static int say(int r, const char *what)
{
	fprintf(stderr, "vmlane: demo: %s: %s\n", what, strerror(-r));
	return r;
}

/* The lock's file can be removed by --stop between opening and locking: then it is another's. */
static bool still_there(int fd)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(LOCK_PATH, &b) && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

int demo_keep_lock(void)
{
	for (;;) {
		int fd;

		if (mkdir(DEMO_DIR, 0755) < 0 && errno != EEXIST)
			return say(-errno, DEMO_DIR);
		fd = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0)
			return say(-errno, LOCK_PATH);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			close(fd);
			fprintf(stderr, "vmlane: demo: another demo is being kept: end it with "
					"`vmlane demo --stop`, or enter it with `vmlane demo "
					"--enter host`\n");
			return -EEXIST;
		}
		if (still_there(fd))
			return fd;
		close(fd);
	}
}

static void marks_remove(void)
{
	unlink(PID_PATH);
	unlink(LOCK_PATH);
	rmdir(DEMO_DIR);
}

void demo_keep_unlock(int fd)
{
	if (fd < 0)
		return;
	marks_remove();
	close(fd);
}

int demo_keep_note(pid_t pid)
{
	FILE *f = fopen(PID_PATH, "we");

	if (!f)
		return say(-errno, PID_PATH);
	fprintf(f, "%d\n", (int)pid);
	return fclose(f) ? say(-errno, PID_PATH) : 0;
}

/* A line with a process number. */
static int pid_read(const char *path, pid_t *ret)
{
	FILE *f = fopen(path, "re");
	char line[32] = "";
	uint32_t pid;

	if (!f)
		return -errno;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	if (text_u32(line, 2, INT32_MAX, &pid))
		return -EINVAL;
	*ret = (pid_t)pid;
	return 0;
}

/* A descriptor of the kept demo's first process, and its number; -ESRCH when there is none. */
static int kept(pid_t *ret_pid)
{
	_cleanup_(fd_closep) int lock = open(LOCK_PATH, O_RDONLY | O_CLOEXEC);
	pid_t pid = 0;
	int fd;

	if (lock < 0 || !flock(lock, LOCK_SH | LOCK_NB) || pid_read(PID_PATH, &pid)) {
		fprintf(stderr, "vmlane: demo: no demo is being kept; make one with `vmlane demo "
				"--keep`\n");
		return -ESRCH;
	}
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return say(-errno, "the kept demo");
	*ret_pid = pid;
	return fd;
}

int demo_stop(void)
{
	pid_t pid = 0;
	_cleanup_(fd_closep) int fd = kept(&pid);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return EXIT_REFUSED;
	if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0)
		return say(-errno, "the kept demo cannot be ended") ? EXIT_REFUSED : EXIT_OK;
	/* Its end is the end of all that ran in its namespaces. */
	if (poll(&p, 1, END_MS) != 1) {
		fprintf(stderr, "vmlane: demo: process %d does not end\n", (int)pid);
		return EXIT_REFUSED;
	}
	marks_remove();
	puts("The demo has ended; nothing of it is left.");
	return EXIT_OK;
}

/* ---- entering ---- */

static int enter_guest(const char *name)
{
	static const char *const kinds[] = {"pid", "uts", "net", "mnt"};
	int fds[ARRAY_SIZE(kinds)];
	char path[96];
	pid_t pid = 0;

	snprintf(path, sizeof(path), DEMO_DIR "/%.16s.pid", name);
	if (pid_read(path, &pid))
		return -ENOENT;
	/* All are opened before the first is entered: afterwards /proc is another. */
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kinds[i]);
		fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0)
			return -errno;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (setns(fds[i], 0) < 0)
			return -errno;
	return 0;
}

static int enter_place(int pidfd, const char *where)
{
	_cleanup_(fd_closep) int ns = -1;

	if (setns(pidfd, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS) < 0)
		return -errno;
	if (strcmp(where, "host") == 0)
		return 0;
	if (strcmp(where, "internet") != 0)
		return enter_guest(where);
	ns = open(DEMO_INTERNET_NS, O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return -errno;
	return setns(ns, CLONE_NEWNET) < 0 ? -errno : 0;
}

/* `vmlane` typed inside is this one, also when it is not installed. */
static void path_prepend(void)
{
	const char *old = getenv("PATH");
	char self[PATH_MAX], path[2 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return;
	*slash = '\0';
	if (snprintf(path, sizeof(path), "%s:%s", self, old ? old : "/usr/sbin:/usr/bin") <
	    (int)sizeof(path))
		setenv("PATH", path, 1);
}

static void __attribute__((noreturn)) shell_exec(const char *where, char **command)
{
	static char *const bash[] = {"bash", "--norc", "--noprofile", NULL};
	static char *const sh[] = {"sh", NULL};
	char prompt[64];

	snprintf(prompt, sizeof(prompt), "demo:%.16s:\\w# ", where);
	setenv("PS1", prompt, 1);
	setenv("VMLANE_SOCKET", DEMO_SOCKET, 1);
	if (command && *command) {
		execvp(command[0], command);
		fprintf(stderr, "vmlane: demo: %s: %s\n", command[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	execvp("bash", bash);
	setenv("PS1", "demo# ", 1);
	execvp("sh", sh);
	_exit(127);
}

int demo_enter(const char *where, char **command)
{
	pid_t pid = 0;
	_cleanup_(fd_closep) int fd = kept(&pid);
	int status;
	int r;

	if (fd < 0)
		return EXIT_REFUSED;
	path_prepend(); /* now: inside, /proc is another */
	r = enter_place(fd, where);
	if (r == -ENOENT) {
		fprintf(stderr,
			"vmlane: demo: '%s' cannot be entered: there are host, internet, web2, and "
			"web1 when it is no virtual machine\n",
			where);
		return EXIT_REFUSED;
	}
	if (r)
		return say(r, where) ? EXIT_REFUSED : EXIT_OK;
	/* Ctrl-C is for the one inside. */
	signal(SIGINT, SIG_IGN);
	pid = fork();
	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		shell_exec(where, command);
	}
	if (pid < 0)
		return say(-errno, "fork") ? EXIT_REFUSED : EXIT_OK;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_REFUSED;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
