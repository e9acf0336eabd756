/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsguest_world.c - the namespaces of a namespace guest: its network card, its files, its processes.
 *
 * The guest's first process is a small init that does nothing but wait: when the command ends, it
 * ends, and the kernel takes every process that the command left behind with it.
 */
#include "cli/nsguest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NIC "eth0"
#define READY_FD 3

/* ---- the network card ---- */

/**
 * struct tap_shape - what two taps must have in common for frames to pass as they are
 * @flags:	IFF_VNET_HDR and IFF_MULTI_QUEUE, as the host's tap has them
 * @header:	bytes of virtio header before each frame
 */
struct tap_shape {
	short flags;
	int header;
};

static int host_shape(int fd, struct tap_shape *ret, struct err *e)
{
	struct tap_shape s = {0};
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	if (ioctl(fd, TUNGETIFF, &ifr) < 0)
		return err_set(e, -errno, "not-a-tap", NULL,
			       "descriptor %d is not a tap (%s): pass the one that `vmlane run` "
			       "puts in place of {fd}",
			       fd, strerror(errno));
	if (!(ifr.ifr_flags & IFF_TAP))
		return err_set(e, -EINVAL, "not-a-tap", ifr.ifr_name,
			       "this is a tun interface; a guest needs a tap, which carries whole "
			       "frames");
	s.flags = (short)(ifr.ifr_flags & (IFF_VNET_HDR | IFF_MULTI_QUEUE));
	if (s.flags & IFF_VNET_HDR && ioctl(fd, TUNGETVNETHDRSZ, &s.header) < 0)
		return err_set(e, -errno, "kernel", ifr.ifr_name, "TUNGETVNETHDRSZ: %s",
			       strerror(errno));
	*ret = s;
	return 0;
}

static int guest_tap_open(const struct tap_shape *s, int *ret_fd, struct err *e)
{
	struct ifreq ifr;
	int fd;

	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(e, -errno, "kernel", "/dev/net/tun", "%s: modprobe tun",
			       strerror(errno));
	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | s->flags);
	strcpy(ifr.ifr_name, NIC);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0 ||
	    (s->header && ioctl(fd, TUNSETVNETHDRSZ, &s->header) < 0)) {
		int r = -errno;

		close(fd);
		return err_set(e, r, "kernel", NIC, "the guest's tap: %s", strerror(-r));
	}
	*ret_fd = fd;
	return 0;
}

/*
 * What the reader of a tap can take decides what the kernel sends into it. Each side's reader is in
 * the end the other side's kernel, which takes all of this.
 */
static void offload_set(int host_fd, int guest_fd)
{
	static const unsigned int sets[] = {
		TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
		TUN_F_CSUM,
		0,
	};

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		if (!ioctl(host_fd, TUNSETOFFLOAD, (unsigned long)sets[i]) &&
		    !ioctl(guest_fd, TUNSETOFFLOAD, (unsigned long)sets[i]))
			return;
}

static int link_up(int sock, const char *name)
{
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	strcpy(ifr.ifr_name, name);
	if (ioctl(sock, SIOCGIFFLAGS, &ifr) < 0)
		return -errno;
	ifr.ifr_flags |= IFF_UP;
	return ioctl(sock, SIOCSIFFLAGS, &ifr) < 0 ? -errno : 0;
}

static int nic_configure(const struct mac *mac)
{
	_cleanup_(fd_closep) int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr;
	int r;

	if (sock < 0)
		return -errno;
	memset(&ifr, 0, sizeof(ifr));
	strcpy(ifr.ifr_name, NIC);
	ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(ifr.ifr_hwaddr.sa_data, mac->b, sizeof(mac->b));
	if (ioctl(sock, SIOCSIFHWADDR, &ifr) < 0)
		return -errno;
	r = link_up(sock, "lo");
	return r ? r : link_up(sock, NIC);
}

/* In the guest's network namespace: open the queues into @fds, all or none. */
static int nic_open(const struct nsguest_options *o, const struct tap_shape *s, int *fds,
		    struct err *e)
{
	size_t n = 0;
	int r = 0;

	for (; n < o->n_fds && !r; n++) {
		r = guest_tap_open(s, &fds[n], e);
		if (r)
			break;
		if (s->flags & IFF_VNET_HDR)
			offload_set(o->fds[n], fds[n]);
	}
	if (!r) {
		r = nic_configure(&o->mac);
		if (r)
			err_set(e, r, "kernel", NIC, "the guest's card cannot be set up: %s",
				strerror(-r));
	}
	while (r && n > 0)
		close(fds[--n]);
	return r;
}

int nsguest_nic_create(const struct nsguest_options *o, int *ret_fds, int *ret_ns_fd, struct err *e)
{
	_cleanup_(fd_closep) int old = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct tap_shape shape = {0};
	int new;
	int r;

	r = host_shape(o->fds[0], &shape, e);
	if (r)
		return r;
	if (old < 0 || unshare(CLONE_NEWNET) < 0)
		return err_set(e, -errno, "kernel", NULL,
			       "no network namespace for the guest: %s%s", strerror(errno),
			       errno == EPERM ? "; run it as root" : "");
	new = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	r = new < 0 ? err_set(e, -errno, "kernel", "/proc/self/ns/net", "%s", strerror(errno))
		    : nic_open(o, &shape, ret_fds, e);
	if (setns(old, CLONE_NEWNET) < 0 && !r)
		r = err_set(e, -errno, "kernel", NULL, "no way back from the guest's namespace: %s",
			    strerror(errno));
	if (r) {
		fd_closep(&new);
		return r;
	}
	*ret_ns_fd = new;
	return 0;
}

/* ---- files ---- */

/*
 * DHCP clients replace /etc/resolv.conf, and some by renaming a new file over it: all of /etc is the
 * guest's own, as far as it is written to. @upper is an empty directory on a tmpfs.
 */
static int etc_overlay(const char *upper)
{
	char options[256], u[96], w[96];
	int fd;

	snprintf(u, sizeof(u), "%s/u", upper);
	snprintf(w, sizeof(w), "%s/w", upper);
	snprintf(options, sizeof(options), "lowerdir=/etc,upperdir=%s,workdir=%s", u, w);
	if (mkdir(u, 0755) < 0 || mkdir(w, 0755) < 0 ||
	    mount("overlay", "/etc", "overlay", 0, options) < 0)
		return -errno;
	/* Often a link into a running resolver's directory, which is not the guest's. */
	unlink("/etc/resolv.conf");
	fd = open("/etc/resolv.conf", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Where there is no overlayfs: one file over one file; enough for clients that write in place. */
static int resolv_conf_bind(const char *upper)
{
	char file[96];
	int fd;

	snprintf(file, sizeof(file), "%s/resolv.conf", upper);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	close(fd);
	return mount(file, "/etc/resolv.conf", NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

/* The tmpfs stands on /proc for a moment only: that is a directory which is always there. */
static int files_private(const struct nsguest_options *o, const char **ret_what)
{
	int r;

	*ret_what = "/";
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	*ret_what = "/etc/resolv.conf";
	if (mount("vmlane", "/proc", "tmpfs", 0, "mode=0755,size=16m") < 0)
		return -errno;
	r = etc_overlay("/proc");
	if (r)
		r = resolv_conf_bind("/proc");
	if (umount2("/proc", MNT_DETACH) < 0 || r)
		return r ? r : -errno;
	*ret_what = "/proc";
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -errno;
	for (size_t i = 0; i < o->n_private; i++) {
		*ret_what = o->private_dirs[i];
		if (mount("vmlane", o->private_dirs[i], "tmpfs", 0, "mode=0755,size=64m") < 0)
			return -errno;
	}
	/* /sys/class/net shows the namespace in which it was mounted. Read-only hosts keep theirs. */
	(void)mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	return 0;
}

/* ---- processes ---- */

static void __attribute__((noreturn)) command_exec(char **command)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(command[0], command);
	dprintf(2, "vmlane-nsguest: %s: %s\n", command[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void __attribute__((noreturn)) init_wait(pid_t command)
{
	int status;

	for (;;) {
		pid_t pid = wait(&status);

		if (pid == command)
			_exit(exit_status(status));
		if (pid < 0 && errno != EINTR)
			_exit(126);
	}
}

/* The guest's first process. It answers on @ready: 0, or an errno and a word. */
static void __attribute__((noreturn))
init_main(const struct nsguest_options *o, int ns_fd, int ready)
{
	const char *what = "network namespace";
	pid_t command;
	int r = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setns(ns_fd, CLONE_NEWNET) < 0)
		r = -errno;
	/* The taps belong to the relay alone: who holds one is taken for the guest's VMM. */
	if (!r && (dup2(ready, READY_FD) < 0 || close_range(READY_FD + 1, ~0u, 0) < 0))
		r = -errno;
	ready = READY_FD;
	fcntl(ready, F_SETFD, FD_CLOEXEC);
	if (!r)
		r = files_private(o, &what);
	if (!r && o->name && sethostname(o->name, strlen(o->name)) < 0) {
		what = "hostname";
		r = -errno;
	}
	if (!r) {
		what = "fork";
		command = fork();
		if (command == 0)
			command_exec(o->command);
		r = command < 0 ? -errno : 0;
	}
	dprintf(ready, "%d %s", -r, what);
	close(ready);
	if (r)
		_exit(126);
	init_wait(command);
}

static pid_t fork_into(int flags)
{
	return (pid_t)syscall(SYS_clone, (unsigned long)(flags | SIGCHLD), NULL, NULL, NULL, NULL);
}

static int await_ready(int fd, struct err *e)
{
	char text[128] = "";
	ssize_t n = read(fd, text, sizeof(text) - 1);
	char *what = NULL;
	long r = -1;

	if (n > 0)
		r = strtol(text, &what, 10);
	if (r == 0)
		return 0;
	return err_set(e, r > 0 ? (int)-r : -ECHILD, "kernel", what && *what ? what + 1 : NULL,
		       "the guest cannot be made: %s",
		       r > 0 ? strerror((int)r) : "its first process was killed");
}

int nsguest_start(const struct nsguest_options *o, int ns_fd, pid_t *ret_pid, struct err *e)
{
	int ready[2];
	pid_t pid;
	int r;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return err_set(e, -errno, "kernel", NULL, "pipe: %s", strerror(errno));
	pid = fork_into(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS);
	if (pid == 0)
		init_main(o, ns_fd, ready[1]);
	close(ready[1]);
	if (pid < 0)
		r = err_set(e, -errno, "kernel", NULL, "no process for the guest: %s",
			    strerror(errno));
	else
		r = await_ready(ready[0], e);
	close(ready[0]);
	if (r && pid > 0)
		waitpid(pid, NULL, 0);
	if (!r)
		*ret_pid = pid;
	return r;
}
