/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * demo_world.c - the namespaces of the demo: `host`, in which it runs already, and `internet`, joined
 * by one cable; servers in the one, vmlaned in the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/client.h"
#include "base/clock.h"
#include "cli/demo.h"
#include "cli/demo_dns.h"

#define DAEMON_READY_S 20
#define NOTIFY_PATH DEMO_DIR "/notify"
#define RESOLV_PATH DEMO_DIR "/resolv.conf"
#define WWW_DIR DEMO_DIR "/www"
#define NETWORK_LOG DEMO_DIR "/ip.log"
#define SERVER_LOG DEMO_DIR "/internet.log"
#define DAEMON_LOG DEMO_DIR "/vmlaned.log"

/* ---- files ---- */

static int mount_fresh(const char *type, const char *where)
{
	const char *options = strcmp(type, "tmpfs") ? NULL : "mode=0755,size=256m";

	return mount(type, where, type, MS_NOSUID | MS_NODEV, options) < 0 ? -errno : 0;
}

static int write_file(const char *path, mode_t mode, const char *text)
{
	size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		r = -EIO;
	close(fd);
	return r;
}

/*
 * The host's resolver is the Internet's. Where /etc/resolv.conf is a link into the real /run, which
 * is hidden here, there is nothing to cover; vmlaned is told the file's place anyway.
 */
static int resolv_conf(void)
{
	int r = write_file(RESOLV_PATH, 0644, "nameserver " DEMO_INTERNET_ADDR "\n");

	if (!r && !access("/etc/resolv.conf", F_OK) &&
	    mount(RESOLV_PATH, "/etc/resolv.conf", NULL, MS_BIND, NULL) < 0)
		r = -errno;
	return r;
}

static int make_dirs(void)
{
	static const char *const dirs[] = {
		DEMO_DIR,	  DEMO_DIR "/etc", DEMO_DIR "/lib",
		"/run/vmlane",	  "/run/netns",	   DEMO_DIR "/web1",
		DEMO_DIR "/web2", WWW_DIR,	   WWW_DIR "/cgi-bin",
	};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdir(dirs[i], 0755) < 0)
			return -errno;
	return 0;
}

static int mounts_make(struct demo *d)
{
	int r = 0;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return demo_fail(d, -errno, NULL, "no mounts of its own: %s", strerror(errno));
	r = mount_fresh("proc", "/proc");
	if (!r)
		r = mount_fresh("tmpfs", "/run");
	if (!r)
		r = make_dirs();
	if (!r)
		r = resolv_conf();
	if (r)
		return demo_fail(d, r, NULL, "/proc, /run and /etc/resolv.conf of its own: %s",
				 strerror(-r));
	/* Shows this namespace's interfaces to those who look there; nobody here has to. */
	(void)mount_fresh("sysfs", "/sys");
	/* Where guards are kept; without it vmlaned says what is missing. */
	(void)mount_fresh("bpf", "/sys/fs/bpf");
	return 0;
}

/* ---- network namespaces ---- */

/* A named namespace, as `ip netns` makes it; the caller ends up in its old one. */
static int netns_new(const char *path, int *ret_fd)
{
	_cleanup_(fd_closep) int old = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int new = -1;
	int r;

	if (old < 0)
		return -errno;
	r = write_file(path, 0444, "");
	if (r)
		return r;
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	if (mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0)
		r = -errno;
	if (!r)
		new = open(path, O_RDONLY | O_CLOEXEC);
	if (!r && new < 0)
		r = -errno;
	if (setns(old, CLONE_NEWNET) < 0 && !r)
		r = -errno;
	if (r) {
		fd_closep(&new);
		return r;
	}
	*ret_fd = new;
	return 0;
}

int demo_socket(int ns_fd, int type)
{
	_cleanup_(fd_closep) int old = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd, r = 0;

	if (old < 0 || setns(ns_fd, CLONE_NEWNET) < 0)
		return -errno;
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		r = -errno;
	if (setns(old, CLONE_NEWNET) < 0)
		abort(); /* nothing after this would happen where it should */
	return r ? r : fd;
}

static int ip_batch(struct demo *d, bool internet, const char *commands)
{
	static const char *const here[] = {"ip", "-batch", "-", NULL};
	static const char *const there[] = {"ip", "-n", "internet", "-batch", "-", NULL};
	struct err e;
	int r;

	r = demo_feed(internet ? there : here, commands, NETWORK_LOG, &e);
	return r ? demo_fail(d, r, NETWORK_LOG, "the cable to the Internet: %s", e.message) : 0;
}

int demo_internet_ip(struct demo *d, const char *commands)
{
	return ip_batch(d, true, commands);
}

static int cable(struct demo *d)
{
	static const char host[] =
		"link set lo up\n"
		"link add " DEMO_UPLINK " type veth peer name eth0 netns internet\n"
		"addr add " DEMO_HOST_ADDR "/24 dev " DEMO_UPLINK "\n"
		"link set " DEMO_UPLINK " up\n";
	static const char internet[] = "link set lo up\n"
				       "addr add " DEMO_SERVER_ADDR "/32 dev lo\n"
				       "addr add " DEMO_INTERNET_ADDR "/24 dev eth0\n"
				       "link set eth0 up\n";
	int r;

	r = ip_batch(d, false, host);
	if (!r)
		r = ip_batch(d, true, internet);
	if (!r)
		r = ip_batch(d, false, "route add default via " DEMO_INTERNET_ADDR "\n");
	return r;
}

/* ---- the Internet's servers ---- */

static struct demo_proc *proc_add(struct demo *d, const char *name, const char *log)
{
	struct demo_proc *p = &d->procs[d->n_procs++];

	*p = (struct demo_proc){0};
	snprintf(p->name, sizeof(p->name), "%s", name);
	snprintf(p->log, sizeof(p->log), "%s", log);
	return p;
}

static int dns_start(struct demo *d)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(53)};
	_cleanup_(fd_closep) int fd = demo_socket(d->internet_ns, SOCK_DGRAM);
	struct demo_proc *p;

	if (fd < 0)
		return demo_fail(d, fd, NULL, "a socket in the Internet: %s", strerror(-fd));
	/* Bound to the address that is asked, so that answers come from there. */
	if (ip4_parse(DEMO_INTERNET_ADDR, &at.sin_addr) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return demo_fail(d, -errno, NULL, "the resolver's port: %s", strerror(errno));
	p = proc_add(d, "the Internet's resolver", "");
	p->pid = fork();
	if (p->pid == 0) {
		int none = open("/dev/null", O_RDWR | O_CLOEXEC);

		/* Nothing else is held: whoever reads the demo's output waits for its end. */
		for (int i = 0; i < 3; i++)
			if (dup2(none, i) < 0)
				_exit(1);
		if (dup2(fd, 3) < 0 || close_range(4, ~0u, 0) < 0)
			_exit(1);
		demo_dns_run(3);
	}
	return p->pid < 0 ? demo_fail(d, -errno, NULL, "fork: %s", strerror(errno)) : 0;
}

/* Its one page tells the visitor the address he comes from: the host's, if there is a NAT. */
static int http_start(struct demo *d)
{
	static const char *const argv[] = {"busybox", "httpd", "-p", DEMO_SERVER_ADDR ":80",
					   "-h",      WWW_DIR, NULL};
	static const char page[] = "#!/bin/sh\n"
				   "printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
				   "a=${REMOTE_ADDR#'[::ffff:'}\n"
				   "printf 'you are %s\\n' \"${a%']'}\"\n";
	struct demo_spawn s = {.argv = argv, .log = SERVER_LOG, .ns_fd = d->internet_ns};
	struct err e;
	int status;
	pid_t pid;
	int r;

	r = write_file(WWW_DIR "/cgi-bin/index.cgi", 0755, page);
	if (r)
		return demo_fail(d, r, NULL, "the HTTP server's page: %s", strerror(-r));
	r = demo_spawn(&s, &pid, &e);
	if (r)
		return demo_fail(d, r, NULL, "the HTTP server: %s", e.message);
	/* It goes into the background once it listens. */
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status))
		return demo_fail(d, -ECHILD, SERVER_LOG,
				 "the Internet's HTTP server does not start");
	return 0;
}

int demo_world_enter(struct demo *d)
{
	int r;

	if (sethostname("host", 4) < 0)
		return demo_fail(d, -errno, NULL, "hostname: %s", strerror(errno));
	r = mounts_make(d);
	if (r)
		return r;
	r = netns_new(DEMO_INTERNET_NS, &d->internet_ns);
	if (r)
		return demo_fail(d, r, NULL, "no network namespace for the Internet: %s",
				 strerror(-r));
	r = cable(d);
	if (!r)
		r = dns_start(d);
	return r ? r : http_start(d);
}

/* ---- vmlaned ---- */

static int notify_socket(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = NOTIFY_PATH};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	if (!bind(fd, (struct sockaddr *)&at, sizeof(at)))
		return fd;
	r = -errno;
	close(fd);
	return r;
}

/* 0 once "READY=1" has come; -EAGAIN when it has not yet. */
static int notify_read(int fd)
{
	char text[4096];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (n <= 0)
		return -EAGAIN;
	text[n] = '\0';
	for (char *save = NULL, *l = strtok_r(text, "\n", &save); l;
	     l = strtok_r(NULL, "\n", &save))
		if (strcmp(l, "READY=1") == 0)
			return 0;
	return -EAGAIN;
}

static int daemon_await(struct demo *d, int notify)
{
	uint64_t deadline = clock_boot_us() + DAEMON_READY_S * 1000000ull;
	int r = 0;

	show_wait_begin(&d->show, "vmlaned starts");
	while (!r && notify_read(notify) == -EAGAIN) {
		struct pollfd fds[] = {{.fd = notify, .events = POLLIN},
				       {.fd = d->signal_fd, .events = POLLIN}};

		poll(fds, ARRAY_SIZE(fds), 1000);
		r = demo_pump(d, clock_boot_us());
		if (r == -ETIMEDOUT)
			r = clock_boot_us() < deadline
				    ? 0
				    : demo_fail(d, r, DAEMON_LOG,
						"vmlaned did not say within %d s that it is ready",
						DAEMON_READY_S);
	}
	show_wait_end(&d->show);
	return r;
}

static int network_create(struct demo *d)
{
	_cleanup_(json_decrefp) json_t *network = NULL;
	uint64_t start = clock_boot_us();
	struct err_list errs = {0};
	json_t *body, *world;
	const char *bridge;
	char text[1024];
	int r;

	body = json_pack("{s:s, s:s, s:{s:s}}", "network", DEMO_NETWORK, "mode", "nat", "ipv4",
			 "subnet", DEMO_SUBNET);
	r = api_call(DEMO_SOCKET, "POST", "/v1/networks", body, &network, &errs);
	json_decref(body);
	if (r)
		return demo_fail(d, r, DAEMON_LOG, "vmlaned does not make the network: %s",
				 errs.n ? err_format(&errs.items[0], text, sizeof(text))
					: strerror(-r));
	bridge = json_string_value(json_object_get(network, "bridge"));
	if (!bridge)
		return demo_fail(d, -EPROTO, DAEMON_LOG, "vmlaned does not name the bridge");
	snprintf(d->bridge, sizeof(d->bridge), "%s", bridge);
	world = json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:I}", "internet", DEMO_INTERNET_ADDR,
			  "server", DEMO_SERVER_ADDR, "server_name", DEMO_SERVER_NAME, "host",
			  DEMO_HOST_ADDR, "uplink", DEMO_UPLINK, "network", network, "network_us",
			  (json_int_t)(clock_boot_us() - start));
	if (json_object_set_new(d->facts, "world", world))
		return demo_fail(d, -ENOMEM, NULL, "out of memory");
	show_world(&d->show, world);
	return 0;
}

int demo_world_daemon(struct demo *d)
{
	char program[PATH_MAX];
	const char *const argv[] = {program,
				    "--foreground",
				    "--config-dir",
				    DEMO_DIR "/etc",
				    "--state-dir",
				    DEMO_DIR "/lib",
				    "--run-dir",
				    "/run/vmlane",
				    "--resolv-conf",
				    RESOLV_PATH,
				    NULL};
	struct demo_spawn s = {.argv = argv, .log = DAEMON_LOG};
	_cleanup_(fd_closep) int notify = -1;
	struct demo_proc *p;
	struct err e;
	int r;

	if (cli_program_path("vmlaned", program, sizeof(program)))
		return demo_fail(d, -ENOENT, NULL,
				 "vmlaned is neither beside this program nor "
				 "installed: build or install all of vmlane");
	notify = notify_socket();
	if (notify < 0)
		return demo_fail(d, notify, NULL, "%s: %s", NOTIFY_PATH, strerror(-notify));
	setenv("NOTIFY_SOCKET", NOTIFY_PATH, 1);
	p = proc_add(d, "vmlaned", DAEMON_LOG);
	r = demo_spawn(&s, &p->pid, &e);
	unsetenv("NOTIFY_SOCKET");
	if (r)
		return demo_fail(d, r, NULL, "%s: %s", e.where, e.message);
	r = daemon_await(d, notify);
	return r ? r : network_create(d);
}
