/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * capture_file.c - see capture_file.h. Blocks are collected in a buffer and leave it whole: a write
 * that stops within a block is gone on with, or the file is cut to the end of the block before.
 */
#include "path/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FLUSH_AT (64u * 1024)
#define INTERFACES_BYTES_MAX (64u << 20)
#define PENDING_MAX (INTERFACES_BYTES_MAX + FLUSH_AT + 2 * PCAPNG_BLOCK_MAX)
#define NS_PER_S 1000000000ull
#define GRACE_MS 1000 /* for the reader of a stream that is to end */

/* struct counts - of an interface, since the capture's beginning; @counted: the kernel's are known. */
struct counts {
	uint64_t received;
	uint64_t dropped;
	uint64_t delivered;
	bool counted;
};

/**
 * struct capture_file - a capture that is being written
 * @fd:		-1 when no file is open
 * @stream:	each packet goes out at once; what is written cannot be taken back
 * @ring:	files by turns
 * @ending:	readers of streams are not waited for any longer than GRACE_MS
 * @stop_fd:	as in the options
 * @failed:	-errno that ended it, 0 while all is well
 * @path:	as asked for; @now: the file that is written
 * @filter:	for the interfaces' blocks; NULL: none
 * @count:	files begun
 * @file_len:	bytes of this file, @pending too
 * @file_first_ns: time of this file's first packet, when it @has_packets
 * @last_ns:	time of the last packet
 * @section, @interfaces: the blocks that each file begins with
 * @pending:	whole blocks that are not in the file yet, but for the first @pending_done bytes
 * @block:	the block under construction
 * @counts:	@n_interfaces of them, room for @cap_interfaces
 */
struct capture_file {
	int fd;
	bool stream;
	bool ring;
	bool has_packets;
	bool ending;
	int stop_fd;
	int failed;
	char path[PATH_MAX];
	char now[PATH_MAX];
	char *filter;
	uint64_t start_ns;
	uint64_t file_bytes;
	uint32_t file_s;
	uint32_t files;
	uint32_t count;
	uint64_t packets;
	uint64_t file_len;
	uint64_t file_first_ns;
	uint64_t last_ns;
	struct buf section;
	struct buf interfaces;
	struct buf pending;
	size_t pending_done;
	struct buf block;
	struct counts *counts;
	size_t n_interfaces;
	size_t cap_interfaces;
};

/* ---- errors ---- */

static const char *advice(int r)
{
	switch (r) {
	case -EISDIR:
		return "is a directory: name a file in it";
	case -ENOENT:
		return "the directory it should be in does not exist";
	case -ELOOP:
		return "is a symbolic link; a ring's names can be guessed, so it follows none";
	case -ENOSPC:
	case -EDQUOT:
		return "the disk is full; the capture ends with the last packet that fit";
	case -EFBIG:
		return "the file may not grow further (ulimit -f); the capture ends with the last "
		       "packet that fit";
	case -EPIPE:
		return "whoever was reading the capture has gone";
	case -EINTR:
		return "interrupted while the capture's reader let us wait";
	case -ENAMETOOLONG:
		return "the name is too long";
	default:
		return strerror(-r);
	}
}

static int explain(const struct capture_file *c, int r, struct err *e)
{
	const char *code = r == -ENOSPC || r == -EDQUOT ? "disk-full" : "capture-file";

	return err_set(e, r, code, c->now, "%s", advice(r));
}

static int fail(struct capture_file *c, int r, struct err *e)
{
	c->failed = r;
	return explain(c, r, e);
}

/* ---- bytes ---- */

static uint32_t block_len(const uint8_t *block)
{
	const uint8_t *p = block + 4;

	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A file that could not take all of @pending: without the block that is in it in part. */
static void cut(const struct capture_file *c)
{
	const uint8_t *blocks = (const uint8_t *)c->pending.data;
	size_t whole = 0;
	off_t end;

	while (whole < c->pending_done && whole + block_len(blocks + whole) <= c->pending_done)
		whole += block_len(blocks + whole);
	end = lseek(c->fd, 0, SEEK_CUR);
	if (end < 0 || whole == c->pending_done)
		return;
	end -= (off_t)(c->pending_done - whole);
	/* Nothing is left to try when even that fails: the error that brought us here is told. */
	if (ftruncate(c->fd, end) == 0)
		(void)lseek(c->fd, end, SEEK_SET);
}

/*
 * Until the stream takes up to PIPE_BUF bytes. -EINTR where nothing of the block has gone out yet, and
 * whoever wants the capture to end would have to wait; in its midst the reader has some time to go on.
 */
static int stream_wait(const struct capture_file *c)
{
	struct pollfd p[] = {
		{.fd = c->fd, .events = POLLOUT},
		{.fd = c->stop_fd > 0 ? c->stop_fd : -1, .events = POLLIN},
	};
	int n;

	if (!c->ending) {
		if (poll(p, 2, -1) < 0)
			return -errno;
		if (p[0].revents)
			return 0; /* errors too: write() says which */
		if (c->pending_done == 0)
			return -EINTR;
	}
	n = poll(p, 1, GRACE_MS);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

/* One write() of what waits; a stream takes PIPE_BUF bytes without blocking when it is ready. */
static int write_some(struct capture_file *c)
{
	size_t len = c->pending.len - c->pending_done;
	ssize_t n;

	if (c->stream) {
		int r = stream_wait(c);

		if (r)
			return r;
		len = size_min(len, PIPE_BUF);
	}
	n = write(c->fd, c->pending.data + c->pending_done, len);
	if (n > 0)
		c->pending_done += (size_t)n;
	if (n == 0)
		return -EIO;
	/* Somebody else set standard output to O_NONBLOCK: the next round waits. */
	return n > 0 || errno == EAGAIN ? 0 : -errno;
}

/*
 * In the midst of a block writing must go on after a signal. But those that keep coming are heard: a
 * reader that never reads on must not hold us.
 */
#define SIGNALS_MAX 2

static int flush(struct capture_file *c, struct err *e)
{
	unsigned int signals = 0;

	while (c->pending_done < c->pending.len) {
		int r = write_some(c);

		if (r == -EINTR && c->stream && c->pending_done == 0)
			return explain(c, r, e);
		if (r == -EINTR && (!c->stream || ++signals < SIGNALS_MAX))
			continue;
		if (r == -ETIMEDOUT)
			r = -EINTR;
		if (r && !c->stream)
			cut(c);
		if (r)
			return fail(c, r, e);
	}
	c->pending.len = 0;
	c->pending_done = 0;
	return 0;
}

/* Before anything is added: what waits already goes first, when there is enough of it. */
static int pending_room(struct capture_file *c, struct err *e)
{
	if (c->pending.len >= FLUSH_AT || (c->stream && c->pending.len))
		return flush(c, e);
	return 0;
}

static int pending_add(struct capture_file *c, const struct buf *bytes, struct err *e)
{
	if (bytes->len)
		buf_append(&c->pending, bytes->data, bytes->len);
	if (c->pending.error)
		return fail(c, c->pending.error, e);
	c->file_len += bytes->len;
	return 0;
}

/* ---- files ---- */

/* FILE.pcapng and 7: FILE_00007.pcapng. */
static int ring_name(const struct capture_file *c, uint32_t number, char *buf, size_t size)
{
	const char *slash = strrchr(c->path, '/');
	const char *base = slash ? slash + 1 : c->path;
	const char *dot = strrchr(base, '.');
	size_t stem = dot && dot != base ? (size_t)(dot - c->path) : strlen(c->path);
	int n;

	n = snprintf(buf, size, "%.*s_%05u%s", (int)stem, c->path, number, c->path + stem);
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* What was opened may turn out to be something that nobody wants a capture written over. */
static int target_check(struct capture_file *c, struct err *e)
{
	struct stat st;

	if (fstat(c->fd, &st) < 0)
		return fail(c, -errno, e);
	c->stream = !S_ISREG(st.st_mode);
	if (S_ISBLK(st.st_mode))
		return err_set(e, -EINVAL, "capture-file", c->now,
			       "is a block device: writing to it would destroy what is on it");
	if (isatty(c->fd))
		return err_set(e, -EINVAL, "capture-file", c->now,
			       "is a terminal: pipe the capture into a program that reads it "
			       "(... -w - | wireshark -k -i -), or name a file");
	if (c->ring && c->stream)
		return err_set(e, -EINVAL, "capture-file", c->now,
			       "is not a regular file, so there cannot be several by turns");
	return 0;
}

static int file_open(struct capture_file *c, struct err *e)
{
	/* Only root and the owner: a capture has what guests say. */
	const mode_t mode = S_IRUSR | S_IWUSR;
	int r;

	if (!strcmp(c->path, "-")) {
		c->fd = STDOUT_FILENO;
		return target_check(c, e);
	}
	/*
	 * Emptied only once it is known to be a file. For a ring nothing else is good, so that a pipe
	 * need not be waited for.
	 */
	c->fd = open(c->now,
		     O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY |
			     (c->ring ? O_NOFOLLOW | O_NONBLOCK : 0),
		     mode);
	if (c->fd < 0)
		return fail(c, -errno, e);
	r = target_check(c, e);
	if (!r && !c->stream && ftruncate(c->fd, 0) < 0)
		r = fail(c, -errno, e);
	return r;
}

static int file_close(struct capture_file *c)
{
	int fd = c->fd;

	c->fd = -1;
	if (fd < 0 || fd == STDOUT_FILENO)
		return 0;
	return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

/* The file that is too many, before the next one is begun. */
static int oldest_remove(struct capture_file *c, struct err *e)
{
	char name[PATH_MAX];
	int r;

	if (!c->files || c->count <= c->files)
		return 0;
	r = ring_name(c, c->count - c->files, name, sizeof(name));
	if (r)
		return fail(c, r, e);
	if (unlink(name) == 0 || errno == ENOENT)
		return 0;
	c->failed = -errno;
	return err_set(e, c->failed, "capture-file", name,
		       "is the oldest of the ring, but cannot be deleted: %s", strerror(errno));
}

static int file_begin(struct capture_file *c, struct err *e)
{
	int r = 0;

	c->count++;
	if (c->ring)
		r = ring_name(c, c->count, c->now, sizeof(c->now));
	if (r)
		return fail(c, r, e);
	r = oldest_remove(c, e);
	if (!r)
		r = file_open(c, e);
	if (r)
		return r;
	c->has_packets = false;
	c->file_len = 0;
	r = pending_add(c, &c->section, e);
	if (!r)
		r = pending_add(c, &c->interfaces, e);
	/* Whoever looks at the file or waits at the stream's end sees a capture. */
	return r ? r : flush(c, e);
}

static int stats_add(struct capture_file *c, uint32_t id, uint64_t now_ns, struct err *e)
{
	struct buf b = BUF_INIT(PCAPNG_STATS_MAX);
	const struct pcapng_stats s = {
		.interface = id,
		.start_ns = c->start_ns,
		.end_ns = now_ns,
		.delivered = c->counts[id].delivered,
		.counted = c->counts[id].counted,
		.received = c->counts[id].received,
		.dropped = c->counts[id].dropped,
	};
	int r;

	r = pending_room(c, e);
	if (r)
		return r;
	r = pcapng_stats_build(&s, &b);
	r = r ? fail(c, r, e) : pending_add(c, &b, e);
	buf_done(&b);
	return r;
}

static int file_finish(struct capture_file *c, uint64_t now_ns, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; i < c->n_interfaces && !r; i++)
		r = stats_add(c, i, now_ns, e);
	if (!r)
		r = flush(c, e);
	if (r)
		return r;
	r = file_close(c);
	return r ? fail(c, r, e) : 0;
}

static int file_next(struct capture_file *c, uint64_t now_ns, struct err *e)
{
	int r;

	r = file_finish(c, now_ns, e);
	return r ? r : file_begin(c, e);
}

/* Would @more bytes, and the statistics at its end, be too many for the file? */
static bool file_full(const struct capture_file *c, size_t more)
{
	uint64_t end = c->file_len + more + c->n_interfaces * PCAPNG_STATS_MAX;

	return c->file_bytes && c->has_packets && end > c->file_bytes;
}

static bool file_old(const struct capture_file *c, uint64_t time_ns)
{
	return c->file_s && c->has_packets && time_ns >= c->file_first_ns &&
	       time_ns - c->file_first_ns >= c->file_s * NS_PER_S;
}

/* ---- the capture ---- */

static int options_check(const struct capture_options *o, struct err *e)
{
	bool ring = o->file_bytes || o->file_s;

	if (!*o->path)
		return err_set(e, -EINVAL, "capture-file", NULL, "a file's name is missing");
	if (strlen(o->path) >= PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "capture-file", NULL, "%s", advice(-ENAMETOOLONG));
	if (ring && !strcmp(o->path, "-"))
		return err_set(e, -EINVAL, "capture-file", NULL,
			       "standard output is one file: several by turns need a name");
	if (o->files && !ring)
		return err_set(e, -EINVAL, "capture-file", NULL,
			       "how many files are kept needs a size or a time after which the "
			       "next one begins");
	if (o->file_bytes && o->file_bytes < CAPTURE_FILE_BYTES_MIN)
		return err_set(e, -EINVAL, "capture-file", NULL,
			       "files of less than %d bytes are too small for packets",
			       CAPTURE_FILE_BYTES_MIN);
	if (o->files > CAPTURE_RING_FILES_MAX)
		return err_set(e, -EINVAL, "capture-file", NULL, "at most %d files are kept",
			       CAPTURE_RING_FILES_MAX);
	return 0;
}

static struct capture_file *capture_alloc(const struct capture_options *o)
{
	struct capture_file *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->fd = -1;
	c->ring = o->file_bytes || o->file_s;
	c->stop_fd = o->stop_fd;
	c->start_ns = o->start_ns;
	c->file_bytes = o->file_bytes;
	c->file_s = o->file_s;
	c->files = o->files;
	c->section = BUF_INIT(PCAPNG_BLOCK_MAX);
	c->interfaces = BUF_INIT(INTERFACES_BYTES_MAX);
	c->pending = BUF_INIT(PENDING_MAX);
	c->block = BUF_INIT(PCAPNG_BLOCK_MAX);
	snprintf(c->path, sizeof(c->path), "%s", o->path);
	snprintf(c->now, sizeof(c->now), "%s", o->path);
	if (o->filter) {
		c->filter = strdup(o->filter);
		if (!c->filter) {
			capture_file_free(c);
			return NULL;
		}
	}
	return c;
}

int capture_file_new(const struct capture_options *o, struct capture_file **ret, struct err *e)
{
	struct capture_file *c;
	int r;

	r = options_check(o, e);
	if (r)
		return r;
	c = capture_alloc(o);
	if (!c)
		return err_set(e, -ENOMEM, "no-memory", o->path, "%s", strerror(ENOMEM));
	r = pcapng_section_build(&o->section, &c->section);
	r = r ? fail(c, r, e) : file_begin(c, e);
	if (r) {
		capture_file_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void capture_file_free(struct capture_file *c)
{
	if (!c)
		return;
	(void)file_close(c);
	buf_done(&c->section);
	buf_done(&c->interfaces);
	buf_done(&c->pending);
	buf_done(&c->block);
	free(c->counts);
	free(c->filter);
	free(c);
}

/* Room for one interface more. */
static int counts_grow(struct capture_file *c)
{
	size_t cap = c->cap_interfaces ? c->cap_interfaces * 2 : 16;
	struct counts *p;

	if (c->n_interfaces < c->cap_interfaces)
		return 0;
	p = realloc(c->counts, cap * sizeof(*p));
	if (!p)
		return -ENOMEM;
	c->counts = p;
	c->cap_interfaces = cap;
	return 0;
}

/* The interface's block for the files to come, and its place among the counts. */
static int interface_remember(struct capture_file *c, const struct pcapng_interface *i)
{
	int r;

	c->block.len = 0;
	r = pcapng_interface_build(i, &c->block);
	if (r)
		return r;
	if (c->n_interfaces >= CAPTURE_INTERFACES_MAX ||
	    c->block.len > INTERFACES_BYTES_MAX - c->interfaces.len)
		return -E2BIG;
	r = counts_grow(c);
	if (!r)
		buf_append(&c->interfaces, c->block.data, c->block.len);
	return r ? r : c->interfaces.error;
}

int capture_file_interface(struct capture_file *c, const char *name, const char *description,
			   uint32_t *ret_id, struct err *e)
{
	const struct pcapng_interface i = {name, description, c->filter};
	uint32_t id = (uint32_t)c->n_interfaces;
	int r;

	r = c->failed ? explain(c, c->failed, e) : pending_room(c, e);
	if (r)
		return r;
	r = interface_remember(c, &i);
	if (r == -E2BIG)
		return err_set(e, r, "too-many", name,
			       "too many interfaces, or too much text, for one capture");
	if (r)
		return fail(c, r, e);
	/* A file that begins now has it with the others. */
	if (file_full(c, c->block.len + PCAPNG_STATS_MAX))
		r = file_next(c, c->last_ns, e);
	else
		r = pending_add(c, &c->block, e);
	if (r)
		return r;
	c->counts[c->n_interfaces++] = (struct counts){0};
	*ret_id = id;
	return 0;
}

/* c->block is @p's: into this file, or into the next when this one has had enough. */
static int packet_add(struct capture_file *c, const struct pcapng_packet *p, struct err *e)
{
	int r = 0;

	if (file_old(c, p->time_ns) || file_full(c, c->block.len))
		r = file_next(c, p->time_ns, e);
	if (!r)
		r = pending_add(c, &c->block, e);
	if (r)
		return r;
	if (!c->has_packets)
		c->file_first_ns = p->time_ns;
	c->has_packets = true;
	c->last_ns = p->time_ns;
	c->counts[p->interface].delivered++;
	c->packets++;
	return c->stream ? flush(c, e) : 0;
}

int capture_file_packet(struct capture_file *c, const struct pcapng_packet *p, struct err *e)
{
	int r;

	r = c->failed ? explain(c, c->failed, e) : pending_room(c, e);
	if (r)
		return r;
	if (p->interface >= c->n_interfaces)
		return err_set(e, -EINVAL, "capture-file", c->now, "interface %u is not known",
			       p->interface);
	c->block.len = 0;
	r = pcapng_packet_build(p, &c->block);
	if (r == -E2BIG || r == -EINVAL)
		return err_set(
			e, r, "capture-file", c->now,
			"a frame of %zu bytes (%zu on the wire), or its comment, is too long",
			p->len, p->whole_len);
	return r ? fail(c, r, e) : packet_add(c, p, e);
}

void capture_file_stats(struct capture_file *c, uint32_t id, uint64_t received, uint64_t dropped)
{
	if (id >= c->n_interfaces)
		return;
	c->counts[id].counted = true;
	c->counts[id].received = received;
	c->counts[id].dropped = dropped;
}

int capture_file_flush(struct capture_file *c, struct err *e)
{
	return c->failed ? explain(c, c->failed, e) : flush(c, e);
}

int capture_file_end(struct capture_file *c, uint64_t now_ns, struct err *e)
{
	c->ending = true;
	return c->failed ? explain(c, c->failed, e) : file_finish(c, now_ns, e);
}

const char *capture_file_path(const struct capture_file *c)
{
	return c->now;
}

uint32_t capture_file_count(const struct capture_file *c)
{
	return c->count;
}

uint64_t capture_file_packets(const struct capture_file *c)
{
	return c->packets;
}
