/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap.c - making and opening tap interfaces by /dev/net/tun. Plugging them into a bridge and
 * setting them up is rtnl_write.c's.
 */
#include "kernel/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "kernel/rtnl.h"

#define TUN_DEVICE "/dev/net/tun"

static int open_device(const char *name, struct err *e)
{
	int fd = open(TUN_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int r = fd < 0 ? -errno : 0;

	if (fd >= 0)
		return fd;
	if (r == -ENOENT || r == -ENODEV || r == -ENXIO)
		return err_set(e, r, "kernel", name,
			       "there is no " TUN_DEVICE ": load the tun module (modprobe tun)");
	if (r == -EACCES || r == -EPERM)
		return err_set(e, r, "kernel", name,
			       TUN_DEVICE " may not be opened: %s; it is usually mode 0666",
			       strerror(-r));
	return err_set(e, r, "kernel", name, TUN_DEVICE " cannot be opened: %s", strerror(-r));
}

static int refused(int r, const char *name, unsigned int queues, struct err *e)
{
	switch (r) {
	case -EBUSY:
		return err_set(e, r, "kernel", name,
			       "the tap is held by another process (`fuser -v " TUN_DEVICE
			       "` lists those that have one open)");
	case -EPERM:
		return err_set(e, r, "kernel", name,
			       "the kernel refused to open the tap: it belongs to another user, "
			       "and CAP_NET_ADMIN is needed for a new one");
	case -EINVAL:
		return err_set(e, r, "kernel", name,
			       "an interface of this name is there already and is no tap with %s",
			       queues > 1 ? "several queues" : "a single queue");
	case -E2BIG:
		return err_set(e, r, "kernel", name, "the tap has no queue left (at most %d)",
			       TAP_QUEUES_MAX);
	default:
		return err_set(e, r, "kernel", name, "the kernel refused to open the tap: %s",
			       strerror(-r));
	}
}

/*
 * A tap without an owner may be opened by everyone who may open /dev/net/tun, even queues of one
 * that is in use: so the superuser owns those that are nobody's.
 */
static int set_owner(int fd, uint32_t owner_uid)
{
	unsigned long uid = owner_uid == TAP_NO_OWNER ? 0 : owner_uid;

	return ioctl(fd, TUNSETOWNER, uid) < 0 ? -errno : 0;
}

static int attach_queue(int fd, const char *name, unsigned int queues, struct err *e)
{
	int flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (queues > 1 ? IFF_MULTI_QUEUE : 0);
	bool is_new = if_nametoindex(name) == 0;
	struct ifreq req = {.ifr_flags = (short)flags};
	int r = 0;

	memcpy(req.ifr_name, name, strlen(name));
	if (ioctl(fd, TUNSETIFF, &req) < 0)
		return refused(-errno, name, queues, e);
	if (is_new) {
		kernel_write_counted();
		r = set_owner(fd, TAP_NO_OWNER);
	}
	if (r < 0)
		return err_set(e, r, "kernel", name,
			       "the kernel refused to set the tap's owner: %s", strerror(-r));
	return 0;
}

/* Returns the descriptor, or -errno. */
static int open_queue(const char *name, unsigned int queues, struct err *e)
{
	int fd = open_device(name, e);
	int r;

	if (fd < 0)
		return fd;
	r = attach_queue(fd, name, queues, e);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static void close_all(const int *fds, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		close(fds[i]);
}

static int check(const char *name, unsigned int queues, struct err *e)
{
	if (queues < 1 || queues > TAP_QUEUES_MAX)
		return err_set(e, -EINVAL, "kernel", name, "a tap has 1 to %d queues, not %u",
			       TAP_QUEUES_MAX, queues);
	/* The kernel takes "" and '%' for patterns to make a name from. */
	if (!ifname_valid(name) || strchr(name, '%'))
		return err_set(e, -EINVAL, "kernel", name, "`%s` cannot be an interface's name",
			       name);
	return 0;
}

int tap_open(const char *name, unsigned int queues, int *fds, struct err *e)
{
	int opened[TAP_QUEUES_MAX];
	int r = check(name, queues, e);

	if (r < 0)
		return r;
	for (unsigned int i = 0; i < queues; i++) {
		opened[i] = open_queue(name, queues, e);
		if (opened[i] < 0) {
			close_all(opened, i);
			return opened[i];
		}
	}
	memcpy(fds, opened, queues * sizeof(*fds));
	return 0;
}

int tap_persist(int fd, uint32_t owner_uid, struct err *e)
{
	int r = set_owner(fd, owner_uid);

	if (r == 0 && ioctl(fd, TUNSETPERSIST, 1) < 0)
		r = -errno;
	kernel_write_counted();
	if (r < 0)
		return err_set(e, r, "kernel", NULL, "the kernel refused to keep the tap: %s",
			       strerror(-r));
	return 0;
}

/* The first queue decides that there may be several; whoever opens the tap attaches them. */
int tap_create(const char *name, unsigned int queues, uint32_t owner_uid, struct err *e)
{
	int fd, r = check(name, queues, e);

	if (r < 0)
		return r;
	fd = open_queue(name, queues, e);
	if (fd < 0)
		return fd;
	r = tap_persist(fd, owner_uid, e);
	close(fd);
	return r;
}
