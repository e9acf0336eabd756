/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - vmlaned: options, socket, privileges, event loop. It opens everything, brings the
 * networks up, says READY, and then only answers. When it ends, the networks stay.
 *
 * Next on the walk: manager.c.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "config.h"
#include "daemon/bridged.h"
#include "daemon/events.h"
#include "daemon/files.h"
#include "daemon/manager.h"
#include "daemon/privileges.h"
#include "daemon/service.h"

static const char help[] =
	"Usage: vmlaned [OPTION]...\n"
	"Networks for virtual machines: bridges, NAT and DHCP, by the kernel's own data plane.\n"
	"\n"
	"  --foreground         stay in the foreground (for systemd and for tests)\n"
	"  --config-dir DIR     networks are in DIR/networks/*.yaml (default /etc/vmlane)\n"
	"  --state-dir DIR      runtime state, leases (default /var/lib/vmlane)\n"
	"  --run-dir DIR        the API socket, DIR/api.sock (default /run/vmlane)\n"
	"  --resolv-conf FILE   resolvers for the guests (default: the host's own)\n"
	"  --saved-rules FILE   nftables rules of the host's next boot (default "
	"/etc/nftables.conf)\n"
	"  --no-accepts         put nothing into the chains and zones of other firewalls\n"
	"  --no-guardian        what others change stays so until `vmlane apply`\n"
	"  --no-snoop           do not listen on bridges for guests' addresses\n"
	"  --debug              say more\n"
	"  --version            print the version\n"
	"  -h, --help           this text\n"
	"\n"
	"When vmlaned ends, its networks stay as they are. See vmlaned(8), vmlane(1).\n";

enum {
	OPT_CONFIG = 256,
	OPT_STATE,
	OPT_RUN,
	OPT_RESOLV,
	OPT_SAVED,
	OPT_FOREGROUND,
	OPT_NO_ACCEPTS,
	OPT_NO_GUARDIAN,
	OPT_NO_SNOOP,
	OPT_DEBUG,
	OPT_VERSION
};

static const struct option long_options[] = {
	{"config-dir", required_argument, NULL, OPT_CONFIG},
	{"state-dir", required_argument, NULL, OPT_STATE},
	{"run-dir", required_argument, NULL, OPT_RUN},
	{"resolv-conf", required_argument, NULL, OPT_RESOLV},
	{"saved-rules", required_argument, NULL, OPT_SAVED},
	{"foreground", no_argument, NULL, OPT_FOREGROUND},
	{"no-accepts", no_argument, NULL, OPT_NO_ACCEPTS},
	{"no-guardian", no_argument, NULL, OPT_NO_GUARDIAN},
	{"no-snoop", no_argument, NULL, OPT_NO_SNOOP},
	{"debug", no_argument, NULL, OPT_DEBUG},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int set_dir(char *out, size_t size, const char *value)
{
	if (value[0] != '/' || (size_t)snprintf(out, size, "%s", value) >= size) {
		log_error("%.200s%s: expected an absolute path of at most %zu characters", value,
			  strlen(value) > 200 ? "..." : "", size - 1);
		return -EINVAL;
	}
	return 0;
}

/* 0: go on; 1: done, exit 0; negative: wrong usage. */
static int parse_options(int argc, char **argv, struct options *o)
{
	int c, r = 0;

	strcpy(o->config_dir, "/etc/vmlane");
	strcpy(o->state_dir, "/var/lib/vmlane");
	strcpy(o->run_dir, "/run/vmlane");
	while (r == 0 && (c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		switch (c) {
		case OPT_CONFIG:
			r = set_dir(o->config_dir, sizeof(o->config_dir), optarg);
			break;
		case OPT_STATE:
			r = set_dir(o->state_dir, sizeof(o->state_dir), optarg);
			break;
		case OPT_RUN:
			r = set_dir(o->run_dir, sizeof(o->run_dir), optarg);
			break;
		case OPT_RESOLV:
			r = set_dir(o->resolv_conf, sizeof(o->resolv_conf), optarg);
			break;
		case OPT_SAVED:
			r = set_dir(o->saved_rules, sizeof(o->saved_rules), optarg);
			break;
		case OPT_FOREGROUND:
			o->foreground = true;
			break;
		case OPT_NO_ACCEPTS:
			o->no_accepts = true;
			break;
		case OPT_NO_GUARDIAN:
			o->no_guardian = true;
			break;
		case OPT_NO_SNOOP:
			o->no_snoop = true;
			break;
		case OPT_DEBUG:
			o->debug = true;
			break;
		case OPT_VERSION:
			puts("vmlaned " VMLANE_VERSION);
			return 1;
		case 'h':
			fputs(help, stdout);
			return 1;
		default:
			return -EINVAL;
		}
	}
	if (r == 0 && optind < argc) {
		log_error("%s: no arguments are expected; see vmlaned --help", argv[optind]);
		return -EINVAL;
	}
	return r;
}

/* ---- the API socket ---- */

/* The group that may use the socket; where it does not exist only root may. */
static void give_to_group(const char *path)
{
	const struct group *gr = getgrnam(VMLANE_GROUP);

	if (!gr) {
		log_notice("there is no group '%s', so only root can use %s", VMLANE_GROUP, path);
		return;
	}
	if (chown(path, 0, gr->gr_gid) < 0)
		log_warning("%s cannot be given to group %s: %s", path, VMLANE_GROUP,
			    strerror(errno));
}

/* Somebody accepts connections on @sa. */
static bool is_served(const struct sockaddr_un *sa)
{
	_cleanup_(fd_closep) int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return false;
	/* EAGAIN: its queue is full. */
	return connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno == EAGAIN;
}

static int socket_create(const char *run_dir, int *ret, struct err *e)
{
	_cleanup_(fd_closep) int fd = -1;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	mode_t mask;
	int r;

	if ((size_t)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/api.sock", run_dir) >=
	    sizeof(sa.sun_path))
		return err_set(e, -ENAMETOOLONG, "socket", run_dir,
			       "is too long for a socket's path; choose a shorter --run-dir");
	r = files_mkdir(run_dir, 0755, e);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, -errno, "socket", sa.sun_path, "%s", strerror(errno));
	/* The state directory's lock keeps away only those that share it. */
	if (is_served(&sa))
		return err_set(e, -EBUSY, "socket", sa.sun_path,
			       "another vmlaned answers here; stop it, or give this one its own "
			       "directory with --run-dir");
	unlink(sa.sun_path);
	mask = umask(0117);
	r = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	umask(mask);
	if (r == 0 && listen(fd, 128) < 0)
		r = -errno;
	if (r < 0)
		return err_set(e, r, "socket", sa.sun_path, "cannot be made: %s", strerror(-r));
	give_to_group(sa.sun_path);
	*ret = fd;
	fd = -1;
	return 0;
}

static int socket_get(const char *run_dir, int *ret, struct err *e)
{
	int n = sd_listen_fds(1);

	if (n <= 0)
		return socket_create(run_dir, ret, e);
	if (n > 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, NULL, 0) <= 0)
		return err_set(e, -EINVAL, "socket", "",
			       "socket activation must pass one listening unix stream socket");
	*ret = SD_LISTEN_FDS_START;
	return 0;
}

/* ---- running ---- */

static int on_terminate(sd_event_source *s, const struct signalfd_siginfo *si, void *ctx)
{
	log_notice("ending on signal %u; the networks stay as they are", si->ssi_signo);
	bridged_end(ctx);
	return sd_event_exit(sd_event_source_get_event(s), 0);
}

static int on_reload(sd_event_source *s, const struct signalfd_siginfo *si, void *ctx)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	json_t *result = NULL;

	(void)s;
	if (!errs)
		return 0;
	if (service_apply(ctx, &(struct peer){.pid = (pid_t)si->ssi_pid, .uid = si->ssi_uid},
			  &(struct change_options){0}, &result, errs) < 0) {
		manager_log_errors(errs);
		log_error("the configuration was not applied, or not all of it; `vmlane diff` "
			  "shows what is left");
	}
	json_decref(result);
	free(errs);
	return 0;
}

/* From the first moment: what comes while we start is done when we have. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int add_signals(sd_event *loop, struct manager *m)
{
	int r;

	r = sd_event_add_signal(loop, NULL, SIGTERM, on_terminate, m);
	if (r >= 0)
		r = sd_event_add_signal(loop, NULL, SIGINT, on_terminate, m);
	if (r >= 0)
		r = sd_event_add_signal(loop, NULL, SIGHUP, on_reload, m);
	return r < 0 ? r : 0;
}

/* Packet sockets of networks and bridges, descriptors in transit, and connections. */
static void raise_fd_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		log_warning("the limit of open files stays low: %s", strerror(errno));
}

static int start(const struct options *o, sd_event *loop, struct service *svc, struct manager **ret,
		 struct err *e)
{
	struct manager *m = NULL;
	int fd = -1;
	int r = privileges_check(e);

	raise_fd_limit();
	if (r == 0)
		r = manager_new(o, loop, &m, e);
	if (r == 0)
		r = socket_get(o->run_dir, &fd, e);
	if (r == 0)
		r = privileges_drop(e);
	if (r == 0) {
		*svc = service_table(m);
		r = api_server_new(loop, fd, svc, &m->api, e);
		if (r == 0)
			api_server_on_listeners(m->api, events_listeners, m);
	}
	if (r == 0)
		r = add_signals(loop, m);
	if (r < 0) {
		manager_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

static void say_failed(int r, const struct err *e)
{
	char line[800];

	if (e->code[0])
		log_error("%s", err_format(e, line, sizeof(line)));
	else
		log_error("cannot start: %s", strerror(-r));
}

static int serve(const struct options *o, int ready_fd)
{
	struct manager *m = NULL;
	struct service svc;
	sd_event *loop = NULL;
	struct err e = {0};
	int r;

	block_signals();
	r = sd_event_default(&loop);
	if (r >= 0)
		r = start(o, loop, &svc, &m, &e);
	if (r < 0) {
		say_failed(r, &e);
		sd_event_unref(loop);
		return EXIT_FAILURE;
	}
	assert(m);
	sd_event_set_watchdog(loop, true);
	log_notice("vmlaned " VMLANE_VERSION
		   " is ready: %u networks, %u guests, API on %s/api.sock",
		   HASH_COUNT(m->networks), HASH_COUNT(m->guests), o->run_dir);
	sd_notify(0, "READY=1");
	if (ready_fd >= 0) {
		if (write(ready_fd, "", 1) != 1)
			log_warning("whoever started this did not wait");
		close(ready_fd);
	}
	r = sd_event_loop(loop);
	sd_notify(0, "STOPPING=1");
	manager_free(m);
	sd_event_unref(loop);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Without --foreground: leave when the child says that it is ready, with its verdict. */
static int serve_in_background(const struct options *o)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		log_error("cannot go to the background: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	if (pid > 0) {
		close(ready[1]);
		return read(ready[0], &byte, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	close(ready[0]);
	setsid();
	if (chdir("/") < 0)
		log_warning("/: %s", strerror(errno));
	/* What we have to say goes on to stderr; whoever reads stdout shall not wait for us. */
	if (!freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stdout))
		log_warning("/dev/null: %s", strerror(errno));
	return serve(o, ready[1]);
}

/* One spelling of @dir, without symbolic links; where that fails, opening it says why. */
static void resolve_dir(char *dir, unsigned int mode)
{
	char real[PATH_MAX];

	if (files_mkdir(dir, mode, NULL) == 0 && realpath(dir, real) &&
	    strlen(real) < OPTION_DIR_MAX)
		strcpy(dir, real);
}

int main(int argc, char **argv)
{
	static struct options o;
	int r;

	log_init("vmlaned", false);
	r = parse_options(argc, argv, &o);
	if (r != 0)
		return r > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	log_init("vmlaned", o.debug);
	/* Networks remember the path of their file, and SQLite follows no links. */
	resolve_dir(o.config_dir, 0755);
	resolve_dir(o.state_dir, 0700);
	return o.foreground ? serve(&o, -1) : serve_in_background(&o);
}
