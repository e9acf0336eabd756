/* SPDX-License-Identifier: GPL-2.0-or-later */
/* portguard.c - see portguard.h. Next on the walk: bpf/guard.bpf.c. */
#include "kernel/portguard.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/test_refuse.h"
#include "kernel/portguard_attach.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "bpf/guard.skel.h"
#pragma GCC diagnostic pop

#define BPFFS "/sys/fs/bpf"
#define PIN_DIR BPFFS "/vmlane"
#define PIN_PATH_MAX 128
#define PROGRAM "program-" /* no dots: bpffs keeps them for itself */
#define BPFFS_MAGIC 0xcafe4a11

/* What is pinned besides programs, of which each version has a name of its own. */
enum pin { PIN_FASTS, PIN_FACTS, PIN_DROPS, PIN_SEEN, MAPS };

static const struct {
	const char *name;
	uint32_t value_size;
} pins[] = {
	[PIN_FASTS] = {"fasts", sizeof(struct port_fast)},
	[PIN_FACTS] = {"facts", sizeof(struct port_facts)},
	[PIN_DROPS] = {"drops", sizeof(struct port_drops)},
	[PIN_SEEN] = {"seen", sizeof(struct port_seen)},
};
_Static_assert(ARRAY_SIZE(pins) == MAPS, "a map without a row");

#define PROGRAMS 8 /* versions at once: an upgrade that was cut short, and again */

/**
 * struct portguard - see portguard.h
 * @skel:	NULL of one that only reads
 * @maps:	by enum pin; owned by @skel if there is one
 * @programs:	[0] is what ports shall have; the others are older ones that were found pinned
 * @own:	@programs[0].fd is @skel's
 * @pinned:	@maps and @programs[0] are
 */
struct portguard {
	struct guard_bpf *skel;
	int maps[MAPS];
	struct port_program programs[PROGRAMS];
	bool own;
	bool pinned;
	uint64_t netns;
};

/* ---- pins ---- */

static uint64_t own_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) == 0 ? st.st_ino : 0;
}

static const char *pin_path(uint64_t netns, const char *name, char buf[static PIN_PATH_MAX])
{
	snprintf(buf, PIN_PATH_MAX, PIN_DIR "/%llu-%d-%s", (unsigned long long)netns,
		 PORT_GUARD_LAYOUT, name);
	return buf;
}

static int program_info(int fd, struct bpf_prog_info *ret)
{
	uint32_t len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(fd, ret, &len) < 0 ? -errno : 0;
}

/* "program.TAG": what is of the same instructions has the same name. */
static int program_name(int fd, char *ret, size_t size)
{
	struct bpf_prog_info info;
	int r = program_info(fd, &info);
	uint64_t tag;

	memcpy(&tag, info.tag, sizeof(tag));
	snprintf(ret, size, "%s%016llx", PROGRAM, (unsigned long long)tag);
	return r;
}

/* The kernel's number of a map or program, 0 for none; both tell it at one place (linux/bpf.h). */
static uint32_t id_of(int fd, bool is_map)
{
	struct bpf_map_info map = {0};
	struct bpf_prog_info program = {0};
	uint32_t len = is_map ? sizeof(map) : sizeof(program);

	if (bpf_obj_get_info_by_fd(fd, is_map ? (void *)&map : (void *)&program, &len) < 0)
		return 0;
	return is_map ? map.id : program.id;
}

static bool is_pinned(const char *path, int fd, bool is_map)
{
	int there = bpf_obj_get(path);
	bool same;

	if (there < 0)
		return false;
	same = id_of(there, is_map) == id_of(fd, is_map);
	close(there);
	return same;
}

/* What is left there of another is of no use to anybody: whoever needs it holds it. */
static int pin_put(struct portguard *g, const char *name, int fd, bool is_map)
{
	char path[PIN_PATH_MAX];

	pin_path(g->netns, name, path);
	if (bpf_obj_pin(fd, path) == 0 || (errno == EEXIST && is_pinned(path, fd, is_map)))
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (unlink(path) < 0 || bpf_obj_pin(fd, path) < 0)
		return -errno;
	return 0;
}

typedef void (*pin_fn)(struct portguard *g, const char *path, void *ctx);

/* All that is pinned in this namespace, of whatever version. */
static void each_pin(struct portguard *g, pin_fn fn, void *ctx)
{
	DIR *dir = opendir(PIN_DIR);
	char path[PIN_PATH_MAX], mine[32];
	const struct dirent *d;

	snprintf(mine, sizeof(mine), "%llu-", (unsigned long long)g->netns);
	while (dir && (d = readdir(dir))) {
		if (strncmp(d->d_name, mine, strlen(mine)) != 0 ||
		    snprintf(path, sizeof(path), PIN_DIR "/%s", d->d_name) >= (int)sizeof(path))
			continue;
		fn(g, path, ctx);
	}
	if (dir)
		closedir(dir);
}

static int no_bpffs(struct err *e)
{
	return err_set(e, -ENOENT, "no-bpffs", BPFFS,
		       "guards are kept in the BPF filesystem, which is not mounted at " BPFFS
		       " (mount -t bpf bpf " BPFFS ")");
}

static int pin_all(struct portguard *g, struct err *e)
{
	char name[64];
	struct statfs fs;
	int r = 0;

	if (g->pinned)
		return 0;
	if (statfs(BPFFS, &fs) < 0 || fs.f_type != BPFFS_MAGIC)
		return no_bpffs(e);
	if (mkdir(PIN_DIR, 0700) < 0 && errno != EEXIST)
		r = -errno;
	for (enum pin p = 0; p < MAPS && r == 0; p++)
		r = pin_put(g, pins[p].name, g->maps[p], true);
	if (r == 0)
		r = program_name(g->programs[0].fd, name, sizeof(name));
	if (r == 0)
		r = pin_put(g, name, g->programs[0].fd, false);
	if (r < 0)
		return err_set(e, r, "kernel", PIN_DIR, "guards cannot be kept in " PIN_DIR ": %s",
			       strerror(-r));
	g->pinned = true;
	return 0;
}

static bool all_pinned(const struct portguard *g)
{
	char name[64], path[PIN_PATH_MAX];
	bool all = true;

	for (enum pin p = 0; p < MAPS; p++)
		all = all && is_pinned(pin_path(g->netns, pins[p].name, path), g->maps[p], true);
	return all && program_name(g->programs[0].fd, name, sizeof(name)) == 0 &&
	       is_pinned(pin_path(g->netns, name, path), g->programs[0].fd, false);
}

int portguard_keep(struct portguard *g, struct err *e)
{
	int r;

	if (!g->pinned || all_pinned(g))
		return 0;
	g->pinned = false;
	r = pin_all(g, e);
	/* It is tried again at the next look. */
	g->pinned = true;
	return r < 0 ? r : 1;
}

bool portguard_is_silent(void)
{
	return port_program_is_silent();
}

bool portguard_left(void)
{
	char path[PIN_PATH_MAX];

	return access(pin_path(own_netns(), pins[PIN_FACTS].name, path), F_OK) == 0;
}

/* ---- opening ---- */

static __printf(2, 0) int no_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_DEBUG || !getenv("VMLANE_BPF_LOG"))
		return 0;
	return vfprintf(stderr, fmt, args);
}

static bool map_fits(int fd, enum pin p)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
	       info.value_size == pins[p].value_size;
}

/* The maps that are pinned, all of them, into @ret; else none. */
static bool pinned_maps(uint64_t netns, int ret[static MAPS])
{
	char path[PIN_PATH_MAX];
	bool all = true;

	for (enum pin p = 0; p < MAPS; p++) {
		ret[p] = bpf_obj_get(pin_path(netns, pins[p].name, path));
		all = all && ret[p] >= 0 && map_fits(ret[p], p);
	}
	for (enum pin p = 0; p < MAPS && !all; p++) {
		if (ret[p] >= 0)
			close(ret[p]);
		ret[p] = -1;
	}
	return all;
}

static struct portguard *portguard_new(void)
{
	struct portguard *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->netns = own_netns();
	for (enum pin p = 0; p < MAPS; p++)
		g->maps[p] = -1;
	for (int i = 0; i < PROGRAMS; i++)
		g->programs[i].fd = -1;
	return g;
}

static int refused(int r, struct err *e)
{
	if (r == -EPERM) /* the verifier's refusals are EACCES */
		return err_set(e, r, "no-bpf", "guards",
			       "the kernel does not let vmlaned load the guards' program: it needs "
			       "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN of the host itself");
	return err_set(
		e, r, "no-bpf", "guards",
		"the kernel does not take the guards' program: %s (VMLANE_BPF_LOG=1 shows why)",
		strerror(-r));
}

static int reuse(struct bpf_map *map, int fd)
{
	int r = bpf_map__reuse_fd(map, fd);

	close(fd);
	return r;
}

/* With the maps that were found, if they were. */
static int load(struct portguard *g)
{
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	struct bpf_map *maps[MAPS];
	int found[MAPS], r = 0;

	if (test_refused("bpf"))
		return -EPERM;
	/* Before 5.11 maps count against it. */
	(void)setrlimit(RLIMIT_MEMLOCK, &all);
	libbpf_set_print(no_print);
	g->skel = guard_bpf__open();
	if (!g->skel)
		return -errno;
	maps[PIN_FASTS] = g->skel->maps.guard_fasts;
	maps[PIN_FACTS] = g->skel->maps.guard_facts;
	maps[PIN_DROPS] = g->skel->maps.guard_drops;
	maps[PIN_SEEN] = g->skel->maps.guard_seen;
	if (pinned_maps(g->netns, found))
		for (enum pin p = 0; p < MAPS; p++)
			r = r < 0 ? r : reuse(maps[p], found[p]);
	if (r == 0)
		r = guard_bpf__load(g->skel);
	for (enum pin p = 0; p < MAPS && r == 0; p++)
		g->maps[p] = bpf_map__fd(maps[p]);
	return r;
}

/* The same instructions may look into other maps: those of a run whose pins were lost. */
static bool looks_into(int program, const int maps[static MAPS])
{
	uint32_t ids[32], len;
	struct bpf_prog_info info = {.nr_map_ids = ARRAY_SIZE(ids), .map_ids = (uintptr_t)ids};
	bool all = true;

	len = sizeof(info);
	if (bpf_obj_get_info_by_fd(program, &info, &len) < 0)
		return false;
	for (enum pin p = 0; p < MAPS; p++) {
		uint32_t id = id_of(maps[p], true);
		bool found = false;

		for (uint32_t i = 0; i < info.nr_map_ids && i < ARRAY_SIZE(ids); i++)
			found |= ids[i] == id;
		all &= found;
	}
	return all;
}

/* One of the version in @ctx, a tag, is what ports shall have; others are older ones that they may have. */
static void take_program(struct portguard *g, const char *path, void *ctx)
{
	struct port_program found = {.fd = -1};
	struct bpf_prog_info info;
	int i = 1;

	if (!strstr(path, "-" PROGRAM))
		return;
	found.fd = bpf_obj_get(path);
	if (found.fd < 0 || program_info(found.fd, &info) < 0)
		return;
	found.id = info.id;
	if (ctx && memcmp(info.tag, ctx, sizeof(info.tag)) == 0 && looks_into(found.fd, g->maps)) {
		g->own = false;
		i = 0;
	}
	while (i && i < PROGRAMS && g->programs[i].fd >= 0)
		i++;
	if (i < PROGRAMS)
		g->programs[i] = found;
	else
		close(found.fd);
}

static int choose_program(struct portguard *g)
{
	int fd = bpf_program__fd(g->skel->progs.vmlane_guard);
	struct bpf_prog_info info;
	int r = program_info(fd, &info);

	if (r < 0)
		return r;
	g->programs[0] = (struct port_program){fd, info.id};
	g->own = true;
	each_pin(g, take_program, info.tag);
	return 0;
}

int portguard_open(struct portguard **ret, struct err *e)
{
	_cleanup_(portguard_freep) struct portguard *g = portguard_new();
	struct statfs fs;
	int r;

	if (!g)
		return err_set(e, -ENOMEM, "memory", "guards", "out of memory");
	if (statfs(BPFFS, &fs) < 0 || fs.f_type != BPFFS_MAGIC || test_refused("bpffs"))
		return no_bpffs(e);
	r = load(g);
	if (r == 0)
		r = choose_program(g);
	if (r < 0)
		return refused(r, e);
	*ret = g;
	g = NULL;
	return 0;
}

int portguard_find(struct portguard **ret)
{
	struct portguard *g = portguard_new();

	if (!g)
		return -ENOMEM;
	if (!pinned_maps(g->netns, g->maps)) {
		portguard_free(g);
		return -ENOENT;
	}
	each_pin(g, take_program, NULL);
	*ret = g;
	return 0;
}

void portguard_free(struct portguard *g)
{
	if (!g)
		return;
	for (int i = 0; i < PROGRAMS; i++)
		if (g->programs[i].fd >= 0 && !(i == 0 && g->own))
			close(g->programs[i].fd);
	for (enum pin p = 0; p < MAPS && !g->skel; p++)
		if (g->maps[p] >= 0)
			close(g->maps[p]);
	guard_bpf__destroy(g->skel);
	free(g);
}

/* ---- one port ---- */

int portguard_facts(struct portguard *g, int ifindex, struct port_facts *ret)
{
	return bpf_map_lookup_elem(g->maps[PIN_FACTS], &ifindex, ret) < 0 ? -errno : 0;
}

int portguard_look(struct portguard *g, int ifindex, struct port_facts *ret)
{
	int at = port_program_at(ifindex, g->programs, PROGRAMS), r;

	if (at < 0)
		return at;
	if (at == PROGRAMS)
		return -ENOENT;
	/* Who only reads takes older programs for what they are: there. */
	if (at > 0 && g->skel)
		return -ESTALE;
	r = portguard_facts(g, ifindex, ret);
	return r == -ENOENT ? -ESTALE : r;
}

bool portguard_is(const struct portguard *g, uint32_t id)
{
	for (int i = 0; i < PROGRAMS; i++)
		if (g->programs[i].fd >= 0 && g->programs[i].id == id)
			return true;
	return false;
}

int portguard_drops(const struct portguard *g, int ifindex, struct port_drops *ret)
{
	return bpf_map_lookup_elem(g->maps[PIN_DROPS], &ifindex, ret) < 0 ? -errno : 0;
}

static int count_from_nothing(struct portguard *g, int ifindex)
{
	static const struct port_drops none;

	if (bpf_map_update_elem(g->maps[PIN_DROPS], &ifindex, &none, BPF_NOEXIST) < 0 &&
	    errno != EEXIST)
		return -errno;
	return 0;
}

/*
 * Where MACs are counted there is something to count them by: anew, where others than before are forgotten
 * at other times.
 */
static int count_macs(struct portguard *g, int ifindex, const struct port_facts *f)
{
	static const struct port_seen none;
	struct port_facts now = {0};

	if (!f->macs_max) {
		(void)bpf_map_delete_elem(g->maps[PIN_SEEN], &ifindex);
		return 0;
	}
	if (portguard_facts(g, ifindex, &now) == 0 && now.mac_age_s != f->mac_age_s)
		(void)bpf_map_delete_elem(g->maps[PIN_SEEN], &ifindex);
	if (bpf_map_update_elem(g->maps[PIN_SEEN], &ifindex, &none, BPF_NOEXIST) < 0 &&
	    errno != EEXIST)
		return -errno;
	return 0;
}

/* Of the slot @ifindex would have: somebody else's who is there, or nobody's any more. */
static bool slot_taken(struct portguard *g, uint32_t slot, int ifindex)
{
	struct port_facts facts;
	struct port_fast f;

	if (bpf_map_lookup_elem(g->maps[PIN_FASTS], &slot, &f) < 0)
		return true;
	return f.ifindex && f.ifindex != (uint32_t)ifindex &&
	       portguard_facts(g, (int)f.ifindex, &facts) == 0;
}

static int put_fast(struct portguard *g, int ifindex, const struct port_fast *f)
{
	uint32_t slot = (uint32_t)ifindex % PORT_FAST_SLOTS;

	if (slot_taken(g, slot, ifindex))
		return 0;
	return bpf_map_update_elem(g->maps[PIN_FASTS], &slot, f, BPF_ANY) < 0 ? -errno : 0;
}

/* What is known at a glance never knows more than the facts: it goes before, and comes after them. */
static int put_facts(struct portguard *g, int ifindex, const struct port_facts *f)
{
	static const struct port_fast nothing;
	struct port_fast fast;
	int r = put_fast(g, ifindex, &nothing);

	if (r == 0)
		r = count_macs(g, ifindex, f);
	if (r == 0 && bpf_map_update_elem(g->maps[PIN_FACTS], &ifindex, f, BPF_ANY) < 0)
		r = -errno;
	port_facts_fast(f, ifindex, &fast);
	return r < 0 ? r : put_fast(g, ifindex, &fast);
}

int portguard_update(struct portguard *g, int ifindex, const struct port_facts *f)
{
	return put_facts(g, ifindex, f);
}

static int attach(struct portguard *g, int ifindex)
{
	int at = port_program_at(ifindex, g->programs, PROGRAMS);

	if (at <= 0)
		return at;
	return port_program_attach(ifindex, &g->programs[0],
				   at < PROGRAMS ? &g->programs[at] : NULL);
}

int portguard_put(struct portguard *g, int ifindex, const struct port_facts *f, struct err *e)
{
	int r = pin_all(g, e);

	if (r < 0)
		return r;
	r = count_from_nothing(g, ifindex);
	if (r == 0)
		r = put_facts(g, ifindex, f);
	if (r == 0)
		r = attach(g, ifindex);
	if (r < 0)
		return err_set(e, r, "kernel", "guards",
			       "the guards of interface %d cannot be put there: %s", ifindex,
			       strerror(-r));
	return 0;
}

static void forget(struct portguard *g, int ifindex)
{
	static const struct port_fast nothing;

	(void)put_fast(g, ifindex, &nothing);
	(void)bpf_map_delete_elem(g->maps[PIN_FACTS], &ifindex);
	(void)bpf_map_delete_elem(g->maps[PIN_DROPS], &ifindex);
	(void)bpf_map_delete_elem(g->maps[PIN_SEEN], &ifindex);
}

static void unpin(struct portguard *g, const char *path, void *ctx)
{
	(void)g;
	if (!ctx || strncmp(path, ctx, strlen(ctx)) != 0)
		(void)unlink(path);
}

static void forget_programs(struct portguard *g)
{
	for (int i = 1; i < PROGRAMS; i++) {
		if (g->programs[i].fd >= 0)
			close(g->programs[i].fd);
		g->programs[i].fd = -1;
	}
}

/* From the next port on all is pinned again, with this program alone. */
static void unpin_last(struct portguard *g)
{
	int key;

	if (bpf_map_get_next_key(g->maps[PIN_FACTS], NULL, &key) == 0)
		return;
	each_pin(g, unpin, NULL);
	forget_programs(g);
	g->pinned = false;
	(void)rmdir(PIN_DIR);
}

int portguard_remove(struct portguard *g, int ifindex, struct err *e)
{
	int at = port_program_at(ifindex, g->programs, PROGRAMS), r = 0;

	if (at >= 0 && at < PROGRAMS)
		r = port_program_detach(ifindex, &g->programs[at]);
	if (r < 0)
		return err_set(e, r, "kernel", "guards",
			       "the guards of interface %d cannot be taken off: %s", ifindex,
			       strerror(-r));
	forget(g, ifindex);
	unpin_last(g);
	return 0;
}

int portguard_ports(struct portguard *g, int **ret)
{
	int *list = NULL, *more, key, n = 0, room = 0;
	const int *last = NULL;

	while (bpf_map_get_next_key(g->maps[PIN_FACTS], last, &key) == 0) {
		if (n == room) {
			room = room ? 2 * room : 64;
			more = reallocarray(list, (size_t)room, sizeof(*list));
			if (!more) {
				free(list);
				return -ENOMEM;
			}
			list = more;
		}
		list[n] = key;
		last = &list[n++];
	}
	*ret = list;
	return n;
}

/* Not the program's own pin, and not the maps that it has. */
static void unpin_older(struct portguard *g, const char *path, void *ctx)
{
	char keep[PIN_PATH_MAX];

	if (strstr(path, "-" PROGRAM))
		unpin(g, path, ctx);
	else
		unpin(g, path, (void *)pin_path(g->netns, "", keep));
}

void portguard_settled(struct portguard *g)
{
	char name[64], path[PIN_PATH_MAX];

	if (!g->pinned || g->programs[1].fd < 0 ||
	    program_name(g->programs[0].fd, name, sizeof(name)) < 0)
		return;
	each_pin(g, unpin_older, (void *)pin_path(g->netns, name, path));
	forget_programs(g);
}
