/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsguest.c - vmlane-nsguest: a VMM whose guest is a network namespace.
 *
 * It takes the host's tap as QEMU does, by descriptor, and gives the guest a card with the MAC it was
 * told; between the two it carries frames. So everything that a network does for a virtual machine can
 * be tried with any program as the machine, in milliseconds. It does not know of networks or the daemon.
 * Next on the walk: nsguest_world.c, then nsguest_relay.c.
 */
#include "cli/nsguest.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"

static const char usage_text[] =
	"Usage: vmlane-nsguest --fd N[,N...] --mac MAC [OPTION...] -- COMMAND [ARGUMENT...]\n"
	"\n"
	"Runs COMMAND in a guest that is a network namespace instead of a virtual machine, with a\n"
	"network card eth0. It takes the place of QEMU in `vmlane run`:\n"
	"\n"
	"  vmlane run --network default --name web2 -- \\\n"
	"    vmlane-nsguest --fd {fd} --mac {mac} -- busybox udhcpc -f -i eth0\n"
	"\n"
	"The guest has its own process numbers, mounts and /etc (what is written there is the "
	"guest's\n"
	"alone), and ends with COMMAND, whose exit status becomes this program's.\n"
	"\n"
	"  --fd N[,N...]        descriptors of the host's tap, one a queue\n"
	"  --mac MAC            the guest's MAC address\n"
	"  --name NAME          the guest's hostname\n"
	"  --private-dir DIR    an empty DIR of the guest's own; may be repeated\n"
	"  --keep-ns-path FILE  bind the guest's network namespace to FILE while it runs\n"
	"  --pid-file FILE      write the number of the guest's first process (for nsenter -a -t)\n"
	"  --die-with-parent    end when the process that started this one ends\n"
	"  --stats              at the end say how many frames were carried\n"
	"  --help               this text\n";

static const struct option long_options[] = {
	{"fd", required_argument, NULL, 'f'},
	{"mac", required_argument, NULL, 'm'},
	{"name", required_argument, NULL, 'n'},
	{"private-dir", required_argument, NULL, 'd'},
	{"keep-ns-path", required_argument, NULL, 'k'},
	{"pid-file", required_argument, NULL, 'p'},
	{"die-with-parent", no_argument, NULL, 'w'},
	{"stats", no_argument, NULL, 's'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int say(const struct err *e)
{
	char text[1024];

	fprintf(stderr, "vmlane-nsguest: %s\n", err_format(e, text, sizeof(text)));
	return EXIT_REFUSED;
}

static int usage_error(const char *text, const char *what)
{
	fprintf(stderr, "vmlane-nsguest: %s%s; see vmlane-nsguest --help\n", text, what);
	return -EINVAL;
}

static int fds_parse(const char *text, struct nsguest_options *o)
{
	char copy[NSGUEST_QUEUES_MAX * 6];
	char *save = NULL;

	if (strlen(text) >= sizeof(copy))
		return usage_error("too many descriptors: ", text);
	strcpy(copy, text);
	o->n_fds = 0;
	for (char *t = strtok_r(copy, ",", &save); t; t = strtok_r(NULL, ",", &save)) {
		uint32_t fd;

		if (o->n_fds == NSGUEST_QUEUES_MAX || text_u32(t, 0, INT32_MAX, &fd) ||
		    fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
			return usage_error("--fd: this is not an open descriptor: ", t);
		o->fds[o->n_fds++] = (int)fd;
	}
	return 0;
}

static int option_apply(int c, struct nsguest_options *o, bool *mac_given)
{
	switch (c) {
	case 'f':
		return fds_parse(optarg, o);
	case 'm':
		*mac_given = true;
		if (mac_parse(optarg, &o->mac) || mac_is_multicast(&o->mac) || mac_is_zero(&o->mac))
			return usage_error("--mac: this is not a card's address: ", optarg);
		return 0;
	case 'n':
		o->name = optarg;
		return 0;
	case 'd':
		if (o->n_private == NSGUEST_PRIVATE_MAX)
			return usage_error("too many --private-dir: ", optarg);
		o->private_dirs[o->n_private++] = optarg;
		return 0;
	case 'k':
		o->ns_path = optarg;
		return 0;
	case 'p':
		o->pid_file = optarg;
		return 0;
	case 'w':
		o->die_with_parent = true;
		return 0;
	case 's':
		o->stats = true;
		return 0;
	default:
		return usage_error("wrong usage", "");
	}
}

/* 0, 1 after --help, or -EINVAL with the reason said. */
static int options_parse(int argc, char **argv, struct nsguest_options *ret)
{
	struct nsguest_options o = {0};
	bool mac_given = false;
	int c;

	while ((c = getopt_long(argc, argv, "+h", long_options, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage_text, stdout);
			return 1;
		}
		if (option_apply(c, &o, &mac_given))
			return -EINVAL;
	}
	if (!o.n_fds)
		return usage_error("--fd is missing", "");
	if (!mac_given)
		return usage_error("--mac is missing", "");
	if (optind == argc)
		return usage_error("there is no command to run in the guest", "");
	o.command = argv + optind;
	*ret = o;
	return 0;
}

static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* ---- what is left on disk while the guest runs ---- */

static int pid_file_write(const char *path, pid_t pid)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return -errno;
	fprintf(f, "%d\n", (int)pid);
	return fclose(f) ? -errno : 0;
}

static int ns_bind(const char *path, int ns_fd)
{
	char link[64];
	int fd;

	fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0)
		return -errno;
	close(fd);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", ns_fd);
	if (!mount(link, path, NULL, MS_BIND, NULL))
		return 0;
	fd = -errno;
	unlink(path);
	return fd;
}

static int marks_make(const struct nsguest_options *o, int ns_fd, pid_t pid, struct err *e)
{
	int r = 0;

	if (o->ns_path) {
		r = ns_bind(o->ns_path, ns_fd);
		if (r)
			return err_set(e, r, "file", o->ns_path, "%s%s", strerror(-r),
				       r == -EEXIST ? ": another guest's? If it is not, umount and "
						      "remove it"
						    : "");
	}
	if (o->pid_file)
		r = pid_file_write(o->pid_file, pid);
	return r ? err_set(e, r, "file", o->pid_file, "%s", strerror(-r)) : 0;
}

static void marks_remove(const struct nsguest_options *o)
{
	if (o->ns_path) {
		umount2(o->ns_path, MNT_DETACH);
		unlink(o->ns_path);
	}
	if (o->pid_file)
		unlink(o->pid_file);
}

/* ---- life ---- */

/* Which signal ended it: 128 + its number; or the command's status when it has ended. */
static int ending(int signal_fd, pid_t guest, bool *ret_ended)
{
	struct signalfd_siginfo si;
	int status;

	*ret_ended = false;
	while (read(signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		if (si.ssi_signo != SIGCHLD)
			return 128 + (int)si.ssi_signo;
	if (waitpid(guest, &status, WNOHANG) != guest)
		return -1;
	*ret_ended = true;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int guest_watch(struct nsguest_relay *relay, int signal_fd, pid_t guest)
{
	bool ended = false;
	int code = -1;

	while (code < 0) {
		int r = nsguest_relay_run(relay, signal_fd);

		code = ending(signal_fd, guest, &ended);
		if (code < 0 && r) {
			fprintf(stderr, "vmlane-nsguest: %s; the guest is switched off\n",
				r == -ENODEV ? "the host's tap is gone" : strerror(-r));
			code = EXIT_REFUSED;
		}
	}
	if (!ended) {
		kill(guest, SIGKILL);
		waitpid(guest, NULL, 0);
	}
	return code;
}

static int guest_run(const struct nsguest_options *o, int *guest_fds, int ns_fd, int signal_fd)
{
	struct nsguest_relay relay;
	pid_t guest = 0;
	struct err e;
	int code;
	int r;

	r = nsguest_relay_init(&relay, o->fds, guest_fds, o->n_fds);
	if (r)
		return say((err_set(&e, r, "kernel", NULL, "epoll: %s", strerror(-r)), &e));
	r = nsguest_start(o, ns_fd, &guest, &e);
	if (!r)
		r = marks_make(o, ns_fd, guest, &e);
	/* From here on the namespace lives as long as its processes and its card do. */
	if (r) {
		if (guest > 0)
			kill(guest, SIGKILL);
		code = say(&e);
	} else {
		code = guest_watch(&relay, signal_fd, guest);
		marks_remove(o);
	}
	if (o->stats)
		fprintf(stderr,
			"vmlane-nsguest: %" PRIu64 " frames to the guest, %" PRIu64
			" from it, %" PRIu64 " not taken\n",
			relay.to_guest, relay.from_guest, relay.dropped);
	nsguest_relay_done(&relay);
	return code;
}

int main(int argc, char **argv)
{
	int guest_fds[NSGUEST_QUEUES_MAX];
	struct nsguest_options o;
	pid_t parent = getppid();
	int signal_fd, ns_fd;
	struct err e;
	int code, r;

	r = options_parse(argc, argv, &o);
	if (r)
		return r > 0 ? EXIT_OK : EXIT_USAGE;
	if (o.die_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			return EXIT_REFUSED;
	}
	signal_fd = signals_open();
	if (signal_fd < 0)
		return say(
			(err_set(&e, -errno, "kernel", NULL, "signalfd: %s", strerror(errno)), &e));
	r = nsguest_nic_create(&o, guest_fds, &ns_fd, &e);
	if (r)
		return say(&e);
	code = guest_run(&o, guest_fds, ns_fd, signal_fd);
	for (size_t i = 0; i < o.n_fds; i++)
		close(guest_fds[i]);
	close(ns_fd);
	return code;
}
