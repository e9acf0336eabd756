/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_demo.c - vmlane demo: options, what has to be there, and the life of the demo.
 *
 * Two processes: this one waits and hands the outcome on; its child is the first process of new
 * namespaces, in which everything happens, and is killed by the kernel when this one ends, however
 * it ends. Next on the walk: demo_world.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/demo.h"
#include "cli/demo_vm.h"
#include "cli/output.h"

static const char usage_text[] =
	"Usage: vmlane demo [--no-vm] [--keep] [-o json]\n"
	"       vmlane demo --enter host|internet|web2 [-- COMMAND...]\n"
	"       vmlane demo --stop\n"
	"\n"
	"Shows a NAT network at work, with a virtual machine (web1) and a namespace guest (web2):\n"
	"how they get their addresses, who is where, and the way of their packets to the "
	"Internet.\n"
	"All of it, the Internet too, is in private namespaces; this machine's own network is not\n"
	"touched, and nothing is left afterwards.\n"
	"\n"
	"  --no-vm       namespace guests only: needs no QEMU and no guest kernel\n"
	"  --keep        leave it running, to look around in it\n"
	"  --enter WHERE run COMMAND (a shell) in a kept demo\n"
	"  --stop        end a kept demo\n"
	"  --cache DIR   where the guest's kernel is kept (default: /var/cache/vmlane/guest)\n"
	"  -o json       print all that was seen as one JSON object\n"
	"  -h, --help    this text\n"
	"\n"
	"Exit status: 0 when every step happened, 2 with the reason when one did not.\n";

static const struct option long_options[] = {
	{"no-vm", no_argument, NULL, 'n'},	 {"keep", no_argument, NULL, 'k'},
	{"enter", required_argument, NULL, 'e'}, {"stop", no_argument, NULL, 's'},
	{"cache", required_argument, NULL, 'c'}, {"output", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},	 {NULL, 0, NULL, 0},
};

/**
 * struct request - the command line
 * @enter:	--enter's place, NULL without; @command: what follows
 */
struct request {
	struct demo_options o;
	const char *enter;
	char **command;
	bool stop;
	bool help;
};

static int usage_error(const char *what)
{
	fprintf(stderr, "vmlane: demo: %s; see vmlane demo --help\n", what);
	return -EINVAL;
}

static int output_format(struct cli *cli, const char *format)
{
	cli->json = strcmp(format, "json") == 0;
	return cli->json || strcmp(format, "table") == 0 ? 0
							 : usage_error("-o takes table or json");
}

static int option_apply(struct cli *cli, int c, struct request *rq)
{
	switch (c) {
	case 'n':
		rq->o.vm = false;
		return 0;
	case 'k':
		rq->o.keep = true;
		return 0;
	case 'e':
		rq->enter = optarg;
		return 0;
	case 's':
		rq->stop = true;
		return 0;
	case 'c':
		rq->o.cache = optarg;
		return 0;
	case 'o':
		return output_format(cli, optarg);
	case 'h':
		rq->help = true;
		return 0;
	default:
		return usage_error("wrong usage");
	}
}

static int request_parse(struct cli *cli, int argc, char **argv, struct request *rq)
{
	int c;

	optind = 0; /* main.c may have used getopt before */
	while ((c = getopt_long(argc, argv, "+ho:", long_options, NULL)) != -1)
		if (option_apply(cli, c, rq))
			return -EINVAL;
	rq->command = argv + optind;
	if (optind < argc && !rq->enter)
		return usage_error("there is something behind the options");
	if (rq->stop && (rq->enter || rq->o.keep))
		return usage_error("--stop stands alone");
	return 0;
}

/* ---- what has to be there ---- */

static bool program_there(const char *name)
{
	const char *path = getenv("PATH");
	char *copy = strdup(path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
	char *save = NULL;
	bool found = false;

	for (char *p = copy ? strtok_r(copy, ":", &save) : NULL; p && !found;
	     p = strtok_r(NULL, ":", &save)) {
		char file[PATH_MAX];

		snprintf(file, sizeof(file), "%s/%s", p, name);
		found = access(file, X_OK) == 0;
	}
	free(copy);
	return found;
}

static int missing(const char *what, const char *mend)
{
	fprintf(stderr, "vmlane: demo: %s; %s\n", what, mend);
	return -ENOENT;
}

/* The busybox that is installed by default lacks the servers and clients of busybox-static. */
static bool busybox_complete(void)
{
	static const char *const argv[] = {"busybox", "--list", NULL};
	_cleanup_(buf_done) struct buf out = BUF_INIT(65536);
	struct err e;

	if (demo_capture(argv, "/dev/null", &out, &e))
		return false;
	return strstr(buf_str(&out), "\nhttpd\n") && strstr(buf_str(&out), "\nudhcpc\n");
}

static int check_vm_programs(void)
{
	char text[128];

	if (!demo_vm_qemu())
		return missing("there is no known virtual machine for this kind of computer",
			       "use namespace guests: vmlane demo --no-vm");
	snprintf(text, sizeof(text), "%s is missing", demo_vm_qemu());
	if (!program_there(demo_vm_qemu()))
		return missing(text, strstr(demo_vm_qemu(), "x86")
					     ? "apt install qemu-system-x86, or use namespace "
					       "guests: vmlane demo --no-vm"
					     : "apt install qemu-system-arm, or use namespace "
					       "guests: vmlane demo --no-vm");
	if (!program_there("cpio"))
		return missing("cpio is missing", "apt install cpio");
	return 0;
}

static int check_prerequisites(const struct demo_options *o)
{
	if (geteuid() != 0)
		return missing("it makes network namespaces, which only root may",
			       "run it as: sudo vmlane demo");
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return missing("/dev/net/tun is missing", "modprobe tun");
	if (!program_there("ip"))
		return missing("ip is missing", "apt install iproute2");
	if (!program_there("busybox") || !busybox_complete())
		return missing("busybox with httpd and udhcpc is missing",
			       "apt install busybox-static");
	return o->vm ? check_vm_programs() : 0;
}

/* A line "KEY VALUE" of guest-image.sh. */
static bool image_word(const char *text, const char *key, char *ret, size_t size)
{
	size_t len = strlen(key);

	for (const char *l = text; *l; l += strcspn(l, "\n"), l += *l == '\n')
		if (strncmp(l, key, len) == 0 && l[len] == ' ')
			return snprintf(ret, size, "%.*s", (int)strcspn(l + len + 1, "\n"),
					l + len + 1) < (int)size;
	return false;
}

static int image_get(struct demo_options *o)
{
	char program[PATH_MAX];
	const char *argv[] = {program, o->cache ? "--cache" : NULL, o->cache, NULL};
	_cleanup_(buf_done) struct buf out = BUF_INIT(65536);
	struct err e;

	if (cli_program_path("vmlane-guest-image", program, sizeof(program)))
		return missing("vmlane-guest-image is not there", "build or install all of vmlane");
	/* Its own words, also those of its failure, go to stderr. */
	if (demo_capture(argv, NULL, &out, &e))
		return missing("there is no kernel for the virtual machine (see above)",
			       "or use namespace guests: vmlane demo --no-vm");
	if (!image_word(buf_str(&out), "kernel", o->kernel, sizeof(o->kernel)) ||
	    !image_word(buf_str(&out), "initrd", o->initrd, sizeof(o->initrd)) ||
	    !image_word(buf_str(&out), "version", o->kernel_version, sizeof(o->kernel_version)))
		return missing("vmlane-guest-image does not say where its files are",
			       "are vmlane and vmlane-guest-image of one version?");
	return 0;
}

/* ---- the child: the first process of the namespaces ---- */

static void guests_name(struct demo *d)
{
	for (size_t i = 0; i < DEMO_GUESTS; i++) {
		struct demo_guest *g = &d->guests[i];

		g->ctl = g->console = -1;
		g->vm = d->o->vm && i == 0;
		snprintf(g->name, sizeof(g->name), "web%zu", i + 1);
		snprintf(g->log, sizeof(g->log), DEMO_DIR "/%s.log", g->name);
	}
}

static int signals_init(struct demo *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
	/* A guest that goes away while it is being told something. */
	signal(SIGPIPE, SIG_IGN);
	d->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return d->signal_fd < 0 ? demo_fail(d, -errno, NULL, "signalfd: %s", strerror(errno)) : 0;
}

static int everything(struct demo *d)
{
	int r;

	r = signals_init(d);
	if (!r)
		r = demo_world_enter(d);
	if (!r)
		r = demo_world_daemon(d);
	if (!r)
		r = demo_steps_dhcp_begin(d);
	if (!r)
		r = demo_guests_start(d);
	return r ? r : demo_steps_run(d);
}

static void tell_kept(struct demo *d)
{
	show_line(&d->show, "\nIt is left running. To look around:");
	show_line(&d->show, "   vmlane demo --enter host        then: vmlane guest list, ip addr, "
			    "nft list ruleset");
	show_line(&d->show, "   vmlane demo --enter web2        then: busybox wget -q -O - "
			    "http://" DEMO_SERVER_NAME "/");
	show_line(&d->show, "   vmlane demo --enter internet");
	show_line(&d->show, "To end it:\n   vmlane demo --stop");
}

/* Nothing is asked of anybody any more; guests may come and go. */
static void __attribute__((noreturn)) stay(struct demo *d, int tell_fd)
{
	for (size_t i = 0; i < d->n_procs; i++)
		d->procs[i].expected = true;
	(void)!freopen("/dev/null", "r", stdin);
	(void)!freopen("/dev/null", "w", stdout);
	(void)!freopen("/dev/null", "w", stderr);
	prctl(PR_SET_PDEATHSIG, 0);
	if (write(tell_fd, "K", 1) != 1)
		_exit(EXIT_REFUSED);
	close(tell_fd);
	d->show.quiet = true;
	for (;;)
		(void)!demo_pump(d, UINT64_MAX);
}

static void print_facts(struct demo *d, bool ok)
{
	json_object_set_new(d->facts, "ok", json_boolean(ok));
	json_object_set_new(d->facts, "error", ok ? json_null() : json_string(d->reason));
	out_json(d->facts);
	fflush(stdout);
}

static void demo_done(struct demo *d)
{
	watch_free(d->watch);
	free(d->dhcp);
	json_decref(d->facts);
	free(d);
}

static int inside(const struct demo_options *o, const struct cli *cli, int tell_fd)
{
	struct demo *d = calloc(1, sizeof(*d));
	uint64_t start = clock_boot_us();
	int r;

	if (!d)
		return EXIT_REFUSED;
	d->o = o;
	d->internet_ns = -1;
	d->facts = json_object();
	guests_name(d);
	show_init(&d->show, cli->color, cli->json);
	show_line(&d->show,
		  "vmlane demo: a NAT network, two guests, and the way of their packets\n");
	r = everything(d);
	if (cli->json)
		print_facts(d, !r);
	if (r)
		show_failure(&d->show, d->reason[0] ? d->reason : strerror(-r), d->log);
	else
		show_line(&d->show, "\nEvery step happened, in %.1f s.",
			  (double)(clock_boot_us() - start) / 1e6);
	if (!r && o->keep) {
		tell_kept(d);
		stay(d, tell_fd);
	}
	demo_done(d);
	return r ? EXIT_REFUSED : EXIT_OK;
}

/* The parent's end ends the child, also when it came before the child could say so. */
static bool parent_lives(int life_fd)
{
	struct pollfd p = {.fd = life_fd};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return poll(&p, 1, 0) == 0;
}

/* ---- the parent ---- */

static int signals_catch(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
	struct sigaction now;
	sigset_t set;

	sigemptyset(&set);
	/* One that is ignored (nohup, a shell's background job) stays so. */
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (!sigaction(signals[i], NULL, &now) && now.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int end_child(pid_t pid, int code)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return code;
}

/* Until the child has ended, or says that it is kept. *ret_kept tells which. */
static int await(pid_t pid, int signal_fd, int tell_fd, bool *ret_kept)
{
	struct pollfd p[] = {{.fd = signal_fd, .events = POLLIN},
			     {.fd = tell_fd, .events = POLLIN}};
	struct signalfd_siginfo si;
	int status;
	char c;

	for (;;) {
		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return end_child(pid, EXIT_REFUSED);
		if (p[1].revents && read(tell_fd, &c, 1) == 1) {
			*ret_kept = true;
			return EXIT_OK;
		}
		p[1].fd = p[1].revents ? -1 : p[1].fd;
		if (!p[0].revents || read(signal_fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
			continue;
		if (si.ssi_signo != SIGCHLD)
			return end_child(pid, 128 + (int)si.ssi_signo);
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

/*
 * Pipes: over `life` the child sees that this process is there, over `tell` this process hears that
 * the demo is kept.
 */
static int live(const struct demo_options *o, const struct cli *cli)
{
	const unsigned long flags =
		CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | SIGCHLD;
	int lock = o->keep ? demo_keep_lock() : -1;
	int signal_fd = signals_catch();
	int life[2], tell[2];
	bool kept = false;
	pid_t pid;
	int code;

	if (o->keep && lock < 0)
		return EXIT_REFUSED;
	if (signal_fd < 0 || pipe2(life, O_CLOEXEC) < 0 || pipe2(tell, O_CLOEXEC) < 0) {
		demo_keep_unlock(lock);
		perror("vmlane: demo");
		return EXIT_REFUSED;
	}
	fflush(NULL);
	pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		close(life[1]);
		close(tell[0]);
		close(signal_fd);
		setsid(); /* Ctrl-C is the parent's */
		exit(parent_lives(life[0]) ? inside(o, cli, tell[1]) : EXIT_REFUSED);
	}
	close(life[0]);
	close(tell[1]);
	if (pid < 0) {
		fprintf(stderr, "vmlane: demo: no namespaces: %s\n", strerror(errno));
		code = EXIT_REFUSED;
	} else {
		code = await(pid, signal_fd, tell[0], &kept);
	}
	if (kept && demo_keep_note(pid)) {
		code = end_child(pid, EXIT_REFUSED);
		kept = false;
	}
	if (!kept)
		demo_keep_unlock(lock);
	close(life[1]);
	close(tell[0]);
	close(signal_fd);
	return code;
}

int cmd_demo(struct cli *cli, int argc, char **argv)
{
	struct request rq = {.o.vm = true};

	if (request_parse(cli, argc, argv, &rq))
		return EXIT_USAGE;
	if (rq.help) {
		fputs(usage_text, stdout);
		return EXIT_OK;
	}
	if (rq.stop)
		return demo_stop();
	if (rq.enter)
		return demo_enter(rq.enter, rq.command);
	if (check_prerequisites(&rq.o) || (rq.o.vm && image_get(&rq.o)))
		return EXIT_REFUSED;
	return live(&rq.o, cli);
}
