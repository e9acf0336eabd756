/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of src/path/capture_file.c. What was written is read by tshark and capinfos, which must find
 * nothing to complain of. All in a directory of its own below /tmp.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "path/capture_file.h"
#include "wire/frame.h"

#define S 1000000000ull
#define START (1700000000 * S)

static char dir[] = "/tmp/vmlane-capture-XXXXXX";

/* ---- helpers ---- */

static const char *in_dir(const char *name)
{
	static char path[32][4096];
	static unsigned int next;
	char *p = path[next++ % 32];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

/* What @cmd says to standard output and standard error; -1 as *ret_status: it was killed. */
static char *run(const char *cmd, int *ret_status)
{
	static char said[65536];
	FILE *f = popen(cmd, "r");
	size_t n;
	int status;

	assert_non_null(f);
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = '\0';
	status = pclose(f);
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return said;
}

static bool have_tshark(void)
{
	int status;

	run("tshark --version 2>&1 && capinfos --version 2>&1", &status);
	if (status)
		print_message("tshark and capinfos (wireshark-common) are not installed\n");
	return status == 0;
}

/* Warnings go the same way as the answers, so that an expected answer is one without them. */
static void assert_tshark(const char *file, const char *args, const char *expected)
{
	char cmd[8192];
	const char *said;
	int status;

	snprintf(cmd, sizeof(cmd),
		 "HOME=/nonexistent tshark -r %s %s 2>&1 | grep -v '^Running as user'", file, args);
	said = run(cmd, &status);
	if (strcmp(said, expected) != 0)
		fail_msg("tshark -r %s %s said:\n%s\nnot:\n%s", file, args, said, expected);
	snprintf(cmd, sizeof(cmd), "capinfos -TmQ %s 2>&1 >/dev/null", file);
	said = run(cmd, &status);
	if (status || *said)
		fail_msg("capinfos %s: status %d: %s", file, status, said);
}

static size_t frame_make(uint8_t *buf, size_t size, uint16_t dport)
{
	const struct udp_send u = {
		.eth_src = {{0x52, 0x54, 0, 0, 0, 1}},
		.eth_dst = {{0x52, 0x54, 0, 0, 0, 2}},
		.src = ip4_from_host(0xc0a87a0a),
		.dst = ip4_from_host(0xcb007109),
		.sport = 40000,
		.dport = dport,
		.ttl = 64,
		.payload = "0123456789",
		.payload_len = 10,
	};
	int n = udp_frame_build(&u, buf, size);

	assert_true(n > 0);
	return (size_t)n;
}

static int packet(struct capture_file *c, uint32_t interface, uint64_t time_ns, struct err *e)
{
	uint8_t frame[100];
	const struct pcapng_packet p = {
		.interface = interface,
		.time_ns = time_ns,
		.bytes = frame,
		.len = frame_make(frame, sizeof(frame), 5001),
		.direction = PCAPNG_OUT,
		.has_id = true,
		.id = 7,
	};

	return capture_file_packet(c, &p, e);
}
#define PACKET_LEN (28 + 52 + 8 + 12 + 4 + 4) /* of packet() in a file */

static struct capture_file *capture(const struct capture_options *o)
{
	struct capture_file *c = NULL;
	struct err e = {0};

	if (capture_file_new(o, &c, &e))
		fail_msg("%s: %s", e.where, e.message);
	return c;
}

static uint32_t interface(struct capture_file *c, const char *name)
{
	uint32_t id = UINT32_MAX;

	assert_int_equal(capture_file_interface(c, name, "a place", &id, NULL), 0);
	return id;
}

static void end(struct capture_file *c)
{
	struct err e = {0};

	if (capture_file_end(c, START + 100 * S, &e))
		fail_msg("%s: %s", e.where, e.message);
	capture_file_free(c);
}

static long file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? -1 : (long)st.st_size;
}

/* The number of blocks in the file, which must end where the last one ends. */
static int blocks(const char *path)
{
	static uint8_t b[1 << 20];
	int fd = open(path, O_RDONLY);
	size_t len, at = 0;
	int n = 0;

	assert_true(fd >= 0);
	len = (size_t)read(fd, b, sizeof(b));
	close(fd);
	while (at < len) {
		uint32_t block;

		assert_true(len - at >= 12);
		memcpy(&block, b + at + 4, 4); /* these tests run where bytes are as in the file */
		assert_true(block <= len - at);
		assert_memory_equal(b + at + block - 4, &block, 4);
		at += block;
		n++;
	}
	return n;
}

/* ---- files ---- */

/* libpcap, and so tcpdump, reads it too: that needs the same snaplen and link type everywhere. */
static void assert_libpcap(const char *file, int packets)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	struct pcap_pkthdr *h;
	const u_char *bytes;
	pcap_t *p;
	int r;

	p = pcap_open_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!p)
		fail_msg("%s: %s", file, why);
	assert_int_equal(pcap_datalink(p), DLT_EN10MB);
	while ((r = pcap_next_ex(p, &h, &bytes)) == 1)
		packets--;
	if (r != PCAP_ERROR_BREAK)
		fail_msg("%s: %s", file, pcap_geterr(p));
	assert_int_equal(packets, 0);
	pcap_close(p);
}

/* Interfaces that come and go on coming, comments, numbers, directions: as tshark sees them. */
static void test_tshark(void **state)
{
	const struct capture_options o = {
		.path = in_dir("all.pcapng"),
		.section = {.hardware = "x86_64", .os = "Linux 6.18", .application = "vmlane 1"},
		.filter = "udp port 5001",
		.start_ns = START,
	};
	struct capture_file *c = capture(&o);
	uint8_t frame[100];
	struct pcapng_packet p = {.bytes = frame, .time_ns = START + 123456789};

	(void)state;
	p.len = frame_make(frame, sizeof(frame), 5001);
	p.interface = interface(c, "vl-web1 (web1)");
	assert_int_equal(p.interface, 0);
	p.direction = PCAPNG_IN;
	p.has_id = true;
	p.id = 0x100000001;
	p.comment = "vm-out";
	assert_int_equal(capture_file_packet(c, &p, NULL), 0);
	p.interface = interface(c, "eth0");
	assert_int_equal(p.interface, 1);
	p.time_ns += 1001;
	p.direction = PCAPNG_OUT;
	p.whole_len = 1514;
	p.drops = 3;
	p.comment = "nat 192.168.122.10:40000 -> 203.0.113.2:40000\nuplink-out \xe2\x86\x92";
	assert_int_equal(capture_file_packet(c, &p, NULL), 0);
	capture_file_stats(c, 1, 9, 3);
	assert_int_equal(capture_file_packets(c), 2);
	end(c);
	assert_int_equal(blocks(o.path), 7);
	assert_libpcap(o.path, 2);
	if (!have_tshark())
		skip();
	assert_tshark(
		o.path,
		"-o nameres.mac_name:FALSE -T fields -E separator='|' -e frame.number "
		"-e frame.time_epoch -e frame.interface_name -e frame.interface_description "
		"-e frame.packet_id -e frame.p2p_dir -e frame.packet_flags_direction "
		"-e frame.drop_count -e frame.len -e frame.cap_len -e udp.dstport",
		"1|1700000000.123456789|vl-web1 (web1)|a place|4294967297|1|0x00000001||52|52|"
		"5001\n"
		"2|1700000000.123457790|eth0|a place|4294967297|0|0x00000002|3|1514|52|5001\n");
	assert_tshark(o.path, "-T fields -e frame.comment -Y frame.number==1", "vm-out\n");
	assert_tshark(o.path,
		      "-Y 'frame.comment contains \"203.0.113.2:40000\"' -T fields "
		      "-e frame.number",
		      "2\n");
	/* Nothing for experts but the comments themselves, which are the lowest severity. */
	assert_tshark(o.path, "-Y '_ws.expert.severity >= 0x200000 || _ws.malformed'", "");
}

static void refused(const struct capture_options *o, int expected, const char *words)
{
	struct capture_file *c = NULL;
	struct err e = {0};
	int r = capture_file_new(o, &c, &e);

	if (r != expected || !strstr(e.message, words))
		fail_msg("%s: %d (%s), not %d (%s)", o->path, r, e.message, expected, words);
	assert_null(c);
}

static void test_refused(void **state)
{
	struct capture_options o = {.path = dir};
	struct stat st;
	int fd;

	(void)state;
	refused(&o, -EISDIR, "directory: name a file in it");
	o.path = in_dir("none/x.pcapng");
	refused(&o, -ENOENT, "directory it should be in");
	o.path = "";
	refused(&o, -EINVAL, "name is missing");
	o.path = "-";
	o.file_s = 1;
	refused(&o, -EINVAL, "need a name");
	o.path = in_dir("x");
	o.file_s = 0;
	o.files = 2;
	refused(&o, -EINVAL, "needs a size or a time");
	o.file_bytes = 100;
	refused(&o, -EINVAL, "too small");
	o.file_bytes = 10000;
	o.files = CAPTURE_RING_FILES_MAX + 1;
	refused(&o, -EINVAL, "at most");
	assert_int_equal(file_size(in_dir("x_00001")), -1);
	/* A ring's next name may have been laid out as a trap. */
	o.files = 2;
	assert_int_equal(symlink(in_dir("trap"), in_dir("x_00001")), 0);
	refused(&o, -ELOOP, "symbolic link");
	assert_int_equal(file_size(in_dir("trap")), -1);
	assert_int_equal(unlink(in_dir("x_00001")), 0);
	assert_int_equal(mkfifo(in_dir("x_00001"), 0600), 0);
	refused(&o, -ENXIO, "No such device");
	fd = open(in_dir("x_00001"), O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	refused(&o, -EINVAL, "not a regular file");
	close(fd);
	/* What is there is not emptied by what is refused, but overwritten else; only for its owner. */
	o = (struct capture_options){.path = in_dir("mode")};
	end(capture(&o));
	assert_int_equal(stat(o.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_overwrites(void **state)
{
	const struct capture_options o = {.path = in_dir("again.pcapng")};
	struct capture_file *c = capture(&o);
	long one;

	(void)state;
	interface(c, "a");
	for (int i = 0; i < 10; i++)
		assert_int_equal(packet(c, 0, START, NULL), 0);
	end(c);
	assert_int_equal(blocks(o.path), 13);
	one = file_size(o.path);
	end(capture(&o));
	assert_int_equal(blocks(o.path), 1);
	assert_true(file_size(o.path) < one);
}

/* What nobody flushes waits; what is flushed is there, while the capture goes on. */
static void test_flush(void **state)
{
	const struct capture_options o = {.path = in_dir("flush.pcapng")};
	struct capture_file *c = capture(&o);

	(void)state;
	assert_int_equal(blocks(o.path), 1);
	interface(c, "a");
	assert_int_equal(packet(c, 0, START, NULL), 0);
	assert_int_equal(blocks(o.path), 1);
	assert_int_equal(capture_file_flush(c, NULL), 0);
	assert_int_equal(blocks(o.path), 3);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(packet(c, 0, START, NULL), 0);
	assert_true(blocks(o.path) > 500);
	/* As when the process is stopped: what is there is whole. */
	capture_file_free(c);
	assert_true(blocks(o.path) < 1003);
}

/* An interface that is not there, a frame that is too long: nothing is written, all goes on. */
static void test_bad_packets(void **state)
{
	const struct capture_options o = {.path = in_dir("bad.pcapng")};
	struct capture_file *c = capture(&o);
	struct pcapng_packet p = {.bytes = "", .len = PCAPNG_SNAPLEN + 1};
	struct err e = {0};

	(void)state;
	assert_int_equal(packet(c, 0, START, &e), -EINVAL);
	assert_non_null(strstr(e.message, "interface 0"));
	interface(c, "a");
	assert_int_equal(capture_file_packet(c, &p, &e), -E2BIG);
	p = (struct pcapng_packet){.bytes = "12", .len = 2, .whole_len = 1};
	assert_int_equal(capture_file_packet(c, &p, &e), -EINVAL);
	assert_int_equal(packet(c, 0, START, &e), 0);
	end(c);
	assert_int_equal(blocks(o.path), 4);
}

/* ---- rings ---- */

static void test_ring_size(void **state)
{
	const struct capture_options o = {
		.path = in_dir("ring.d.pcapng"), .file_bytes = 4096, .files = 3, .start_ns = START};
	struct capture_file *c = capture(&o);
	uint64_t n = 0;

	(void)state;
	interface(c, "a");
	while (capture_file_count(c) < 3)
		assert_int_equal(packet(c, 0, START + n++, NULL), 0);
	/* Each file has what came before, of interfaces too. */
	assert_int_equal(interface(c, "b"), 1);
	while (capture_file_count(c) < 5)
		assert_int_equal(packet(c, 1, START + n++, NULL), 0);
	assert_string_equal(capture_file_path(c), in_dir("ring.d_00005.pcapng"));
	end(c);
	assert_int_equal(file_size(in_dir("ring.d_00001.pcapng")), -1);
	assert_int_equal(file_size(in_dir("ring.d_00002.pcapng")), -1);
	for (int i = 3; i <= 5; i++) {
		char name[64];

		snprintf(name, sizeof(name), "ring.d_%05d.pcapng", i);
		assert_in_range(file_size(in_dir(name)), 1, 4096);
		if (i < 5)
			assert_true(file_size(in_dir(name)) > 4096 - 2 * PACKET_LEN);
		/* section, two interfaces, packets, statistics of both */
		assert_true(blocks(in_dir(name)) >= 6);
	}
	if (!have_tshark())
		skip();
	assert_tshark(in_dir("ring.d_00005.pcapng"),
		      "-T fields -e frame.interface_id -e frame.interface_name", "1\tb\n");
	assert_tshark(in_dir("ring.d_00003.pcapng"), "-T fields -e frame.interface_name -c 1",
		      "a\n");
}

static void test_ring_time(void **state)
{
	const struct capture_options o = {.path = in_dir("hourly"), .file_s = 10};
	struct capture_file *c = capture(&o);
	static const struct {
		uint64_t time_ns;
		uint32_t file;
	} steps[] = {
		{START + 5 * S, 1},    {START + 15 * S - 1, 1}, {START, 1},
		{START + 15 * S, 2},   {START + 14 * S, 2},	{START + 25 * S - 1, 2},
		{START + 1000 * S, 3}, {START + 1009 * S, 3},
	};

	(void)state;
	interface(c, "a");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		assert_int_equal(packet(c, 0, steps[i].time_ns, NULL), 0);
		assert_int_equal(capture_file_count(c), steps[i].file);
	}
	end(c);
	assert_int_equal(blocks(in_dir("hourly_00001")), 6);
	assert_int_equal(blocks(in_dir("hourly_00002")), 6);
	assert_int_equal(blocks(in_dir("hourly_00003")), 5);
}

/* A packet that is too long for a ring's file has one for itself; an interface can begin the next. */
static void test_ring_large(void **state)
{
	static uint8_t frame[8000];
	const struct capture_options o = {.path = in_dir("large"), .file_bytes = 4096};
	const struct pcapng_packet p = {.bytes = frame, .len = sizeof(frame), .time_ns = START};
	struct capture_file *c = capture(&o);
	char name[3000];

	(void)state;
	interface(c, "a");
	assert_int_equal(capture_file_packet(c, &p, NULL), 0);
	assert_int_equal(capture_file_count(c), 1);
	assert_int_equal(capture_file_packet(c, &p, NULL), 0);
	assert_int_equal(capture_file_count(c), 2);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	interface(c, name);
	assert_int_equal(capture_file_count(c), 3);
	assert_int_equal(packet(c, 1, START, NULL), 0);
	assert_int_equal(capture_file_count(c), 3);
	end(c);
	assert_int_equal(blocks(in_dir("large_00001")), 4);
	assert_int_equal(blocks(in_dir("large_00003")), 6);
}

/* ---- what can go wrong while it runs ---- */

static void test_disk_full(void **state)
{
	const struct capture_options o = {.path = "/dev/full"};
	struct capture_file *c = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(capture_file_new(&o, &c, &e), -ENOSPC);
	assert_string_equal(e.code, "disk-full");
	assert_non_null(strstr(e.message, "disk is full"));
}

/* A file that may not grow on within a block ends with the block before, and the error stays. */
static void test_cut(void **state)
{
	const struct capture_options o = {.path = in_dir("cut.pcapng")};
	struct capture_file *c = capture(&o);
	struct rlimit old, limit;
	struct err e = {0};
	long header;
	int r = 0;

	(void)state;
	interface(c, "a");
	assert_int_equal(capture_file_flush(c, NULL), 0);
	header = file_size(o.path);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = (rlim_t)header + 2 * PACKET_LEN + PACKET_LEN / 2;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(packet(c, 0, START, NULL), 0);
	r = capture_file_flush(c, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(r, -EFBIG);
	assert_non_null(strstr(e.message, "ulimit"));
	assert_int_equal(blocks(o.path), 4);
	assert_int_equal(file_size(o.path), header + 2 * PACKET_LEN);
	assert_int_equal(packet(c, 0, START, &e), -EFBIG);
	assert_int_equal(capture_file_end(c, START, &e), -EFBIG);
	assert_int_equal(blocks(o.path), 4);
	capture_file_free(c);
}

/* ---- streams ---- */

/* Standard output becomes @fd for a while. */
static int stdout_swap(int fd)
{
	int old = dup(STDOUT_FILENO);

	fflush(stdout);
	assert_true(old >= 0);
	assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
	return old;
}

static void stdout_back(int old)
{
	assert_int_equal(dup2(old, STDOUT_FILENO), STDOUT_FILENO);
	close(old);
}

static size_t waiting(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	static uint8_t b[1 << 17];

	return poll(&p, 1, 0) == 1 ? (size_t)read(fd, b, sizeof(b)) : 0;
}

/* Into a pipe each packet goes at once, and a reader that went away ends it without a signal. */
static void test_stdout(void **state)
{
	const struct capture_options o = {.path = "-"};
	struct capture_file *c = NULL;
	struct err e = {0};
	int fds[2], old, r = 0;
	uint32_t id;
	size_t got[3];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	old = stdout_swap(fds[1]);
	close(fds[1]);
	r = capture_file_new(&o, &c, &e);
	got[0] = r ? 0 : waiting(fds[0]);
	r = r ? r : capture_file_interface(c, "a", NULL, &id, &e);
	r = r ? r : packet(c, 0, START, &e);
	got[1] = waiting(fds[0]);
	r = r ? r : packet(c, 0, START, &e);
	got[2] = waiting(fds[0]);
	close(fds[0]);
	r = r ? r : packet(c, 0, START, &e);
	stdout_back(old);
	assert_int_equal(r, -EPIPE);
	assert_int_equal(got[0], 28 + 4);
	assert_true(got[1] > PACKET_LEN);
	assert_int_equal(got[2], PACKET_LEN);
	capture_file_free(c);
	assert_true(fcntl(STDOUT_FILENO, F_GETFD) >= 0);
}

/* As Wireshark does with "-k -i -": packets are read while the capture goes on, until it has enough. */
static void test_stdout_live(void **state)
{
	const struct capture_options o = {.path = "-"};
	struct capture_file *c = NULL;
	struct err e = {0};
	char cmd[300], said[64] = "";
	int old, r, fd;
	uint32_t id;
	FILE *f;

	(void)state;
	if (!have_tshark())
		skip();
	snprintf(cmd, sizeof(cmd),
		 "HOME=/nonexistent exec tshark -i - -l -c 3 -T fields -e frame.comment >%s 2>%s",
		 in_dir("live"), in_dir("live.err"));
	f = popen(cmd, "w");
	assert_non_null(f);
	old = stdout_swap(fileno(f));
	r = capture_file_new(&o, &c, &e);
	r = r ? r : capture_file_interface(c, "a", NULL, &id, &e);
	for (int i = 0; i < 3 && !r; i++) {
		struct pcapng_packet p = {.bytes = "0123456789abcdef", .len = 16};

		p.comment = i ? "later" : "first";
		r = capture_file_packet(c, &p, &e);
	}
	stdout_back(old);
	pclose(f);
	capture_file_free(c);
	if (r)
		fail_msg("%s", e.message);
	fd = open(in_dir("live"), O_RDONLY);
	assert_true(read(fd, said, sizeof(said) - 1) > 0);
	close(fd);
	assert_string_equal(said, "first\nlater\nlater\n");
}

/* Appended to what is in a file already, as "> file" in a script does: that stays. */
static void test_stdout_file(void **state)
{
	const struct capture_options o = {.path = "-"};
	struct capture_file *c = NULL;
	const char *path = in_dir("appended");
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
	int old, r;
	char first[4];

	(void)state;
	assert_int_equal(write(fd, "what was there before", 21), 21);
	old = stdout_swap(fd);
	r = capture_file_new(&o, &c, NULL);
	r = r ? r : capture_file_end(c, START, NULL);
	stdout_back(old);
	assert_int_equal(r, 0);
	capture_file_free(c);
	assert_int_equal(pread(fd, first, 4, 0), 4);
	assert_memory_equal(first, "what", 4);
	assert_int_equal(file_size(path), 21 + 32);
	close(fd);
}

static void test_stdout_terminal(void **state)
{
	const struct capture_options o = {.path = "-"};
	struct capture_file *c = NULL;
	int fd = posix_openpt(O_RDWR | O_NOCTTY);
	struct err e = {0};
	int old, r;

	(void)state;
	assert_true(fd >= 0);
	old = stdout_swap(fd);
	r = capture_file_new(&o, &c, &e);
	stdout_back(old);
	close(fd);
	assert_int_equal(r, -EINVAL);
	assert_non_null(strstr(e.message, "wireshark -k -i -"));
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void alarms(long first_us, long every_us)
{
	const struct sigaction sa = {.sa_handler = on_alarm};
	const struct itimerval it = {
		.it_value = {.tv_usec = first_us},
		.it_interval = {.tv_usec = every_us},
	};

	assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &it, NULL), 0);
}

/* A reader that does not read: a signal gets us out, and what it did get are whole blocks. */
static void test_reader_waits(void **state)
{
	const struct capture_options o = {.path = in_dir("fifo")};
	struct capture_file *c;
	struct err e = {0};
	static uint8_t b[1 << 20];
	int fd, r = 0, taken;
	ssize_t len;

	(void)state;
	assert_int_equal(mkfifo(o.path, 0600), 0);
	fd = open(o.path, O_RDONLY | O_NONBLOCK);
	c = capture(&o);
	interface(c, "a");
	alarms(100000, 100000);
	while (!r)
		r = packet(c, 0, START, &e);
	assert_int_equal(r, -EINTR);
	/* Nothing is lost: when the reader reads on, what waited goes out with what follows. */
	alarms(0, 0);
	len = read(fd, b, sizeof(b));
	assert_true(len > 10000);
	assert_int_equal(packet(c, 0, START, &e), 0);
	len += read(fd, b + len, sizeof(b) - (size_t)len);
	taken = (int)capture_file_packets(c);
	capture_file_free(c);
	close(fd);
	unlink(o.path);
	fd = open(o.path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_int_equal(write(fd, b, (size_t)len), len);
	close(fd);
	assert_int_equal(blocks(o.path), 2 + taken);
}

/* In the midst of a block it goes on after a signal, but not for ever. */
static void test_reader_never_reads(void **state)
{
	static uint8_t frame[200000];
	const struct capture_options o = {.path = in_dir("stuck")};
	const struct pcapng_packet p = {.bytes = frame, .len = sizeof(frame)};
	struct capture_file *c;
	struct err e = {0};
	int fd;

	(void)state;
	assert_int_equal(mkfifo(o.path, 0600), 0);
	fd = open(o.path, O_RDONLY | O_NONBLOCK);
	c = capture(&o);
	interface(c, "a");
	alarms(20000, 20000);
	assert_int_equal(capture_file_packet(c, &p, &e), -EINTR);
	alarms(0, 0);
	assert_int_equal(packet(c, 0, START, &e), -EINTR);
	assert_int_equal(capture_file_end(c, START, &e), -EINTR);
	capture_file_free(c);
	close(fd);
}

/* Signals may be blocked and come by a descriptor: that it is readable gets us out as well. */
static void test_stop_fd(void **state)
{
	struct capture_options o = {.path = in_dir("stopped")};
	struct capture_file *c;
	struct err e = {0};
	int stop[2], fd, r = 0;

	(void)state;
	assert_int_equal(pipe(stop), 0);
	o.stop_fd = stop[0];
	assert_int_equal(mkfifo(o.path, 0600), 0);
	fd = open(o.path, O_RDONLY | O_NONBLOCK);
	c = capture(&o);
	interface(c, "a");
	/* Whoever reads is written to, whatever is wanted. */
	assert_int_equal(write(stop[1], "", 1), 1);
	assert_int_equal(packet(c, 0, START, &e), 0);
	while (!r)
		r = packet(c, 0, START, &e);
	assert_int_equal(r, -EINTR);
	assert_int_equal(capture_file_end(c, START, &e), -EINTR);
	assert_non_null(strstr(e.message, "interrupted"));
	capture_file_free(c);
	close(fd);
	close(stop[0]);
	close(stop[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tshark),	     cmocka_unit_test(test_refused),
		cmocka_unit_test(test_overwrites),   cmocka_unit_test(test_flush),
		cmocka_unit_test(test_bad_packets),  cmocka_unit_test(test_ring_size),
		cmocka_unit_test(test_ring_time),    cmocka_unit_test(test_ring_large),
		cmocka_unit_test(test_disk_full),    cmocka_unit_test(test_cut),
		cmocka_unit_test(test_stdout),	     cmocka_unit_test(test_stdout_live),
		cmocka_unit_test(test_stdout_file),  cmocka_unit_test(test_stdout_terminal),
		cmocka_unit_test(test_reader_waits), cmocka_unit_test(test_reader_never_reads),
		cmocka_unit_test(test_stop_fd),
	};
	char cmd[100];
	int r, status;

	signal(SIGPIPE, SIG_IGN); /* as the header wants it */
	if (!mkdtemp(dir))
		return 1;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	run(cmd, &status);
	return r ? r : status;
}
