/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * capture_file.h - packets into pcapng files: one file, standard output, or a ring of files. Every file
 * stands alone (a section with all interfaces) and ends with a whole block, whatever happens short of
 * the process's death within a write(). It reads no clock: packets bring their time.
 *
 * A regular file that exists is overwritten, as capture programs do. Pipes, sockets and character
 * devices ("streams") get each packet at once; to files packets go in larger portions, and when
 * capture_file_flush() is called. SIGPIPE must be ignored by the process: a reader that went away is
 * -EPIPE here, and no reason to complain. Next on the walk: wire/pcapng.h.
 */
#ifndef VMLANE_PATH_CAPTURE_FILE_H
#define VMLANE_PATH_CAPTURE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "wire/pcapng.h"

#define CAPTURE_INTERFACES_MAX 65536
#define CAPTURE_RING_FILES_MAX 100000
#define CAPTURE_FILE_BYTES_MIN 4096 /* of a ring's file */

/**
 * struct capture_options - where to; texts are copied
 * @path:	a file's name, or "-" for standard output
 * @section:	says where and by what the capture was made
 * @filter:	what was asked for, NULL for everything; noted at each interface
 * @start_ns:	when the capture began, since 1970, UTC
 * @file_bytes:	no file grows longer, unless one packet does so alone; 0: any length
 * @file_s:	each file has the packets of so many seconds from its first one on; 0: no end
 * @stop_fd:	readable (a signalfd) when the capture is to end: then the reader of a stream is waited
 *		for no longer; 0: none
 * @files:	so many of the files are kept, older ones are deleted; 0: all
 *
 * With @file_bytes or @file_s it is a ring: FILE.pcapng gives FILE_00001.pcapng, FILE_00002.pcapng, ...
 */
struct capture_options {
	const char *path;
	struct pcapng_section section;
	const char *filter;
	uint64_t start_ns;
	uint64_t file_bytes;
	uint32_t file_s;
	uint32_t files;
	int stop_fd;
};

struct capture_file;

/*
 * capture_file_new() - open the (first) file and write the section
 *
 * A named pipe waits here for its reader, until a signal: -EINTR. Refused in words: directories, block
 * devices, a terminal as standard output, a ring of what is not a file, in a ring a symbolic link
 * (its names can be guessed); and what the kernel refuses, -errno.
 */
int capture_file_new(const struct capture_options *o, struct capture_file **ret,
		     struct err *e) __must_check;

/*
 * capture_file_free() - close without writing anything more; capture_file_end() comes before it where
 * all went well. NULL is fine.
 */
void capture_file_free(struct capture_file *c);
DEFINE_CLEANUP(struct capture_file *, capture_file_free)

/*
 * capture_file_interface() - another place where packets are seen, at any time; @ret_id is its number
 * from 0, for struct pcapng_packet. -E2BIG for more than CAPTURE_INTERFACES_MAX.
 */
int capture_file_interface(struct capture_file *c, const char *name, const char *description,
			   uint32_t *ret_id, struct err *e) __must_check;

/*
 * capture_file_packet() - write @p, in the next file where it is time for it
 *
 * -EPIPE: the reader of a stream went away. -EINTR: a signal came, or stop_fd became readable,
 * while the reader of a stream let us wait; what waits goes with the next call (capture_file_packets() tells whether @p is part of it), and
 * signals that keep coming within one block end the stream. -E2BIG, -EINVAL: of @p itself, as of
 * pcapng_packet_build(). Others, -ENOSPC too, in words: a file then ends with the last block that fit.
 * What ended the capture is the answer to all further calls.
 */
int capture_file_packet(struct capture_file *c, const struct pcapng_packet *p,
			struct err *e) __must_check;

/* capture_file_stats() - what the kernel counted at interface @id so far; see struct pcapng_stats. */
void capture_file_stats(struct capture_file *c, uint32_t id, uint64_t received, uint64_t dropped);

/* capture_file_flush() - bring to the file what waits for it; errors as of capture_file_packet(). */
int capture_file_flush(struct capture_file *c, struct err *e) __must_check;

/*
 * capture_file_end() - write each interface's statistics and close; @now_ns as capture_options.start_ns.
 * A stream's reader that does not read has a second: -EINTR then. Only capture_file_free() may follow,
 * and the counts below.
 */
int capture_file_end(struct capture_file *c, uint64_t now_ns, struct err *e) __must_check;

/* capture_file_path() - the file that is written now, "-" for standard output; owned by @c. */
const char *capture_file_path(const struct capture_file *c);

/* capture_file_count() - files begun so far. */
uint32_t capture_file_count(const struct capture_file *c);

/* capture_file_packets() - packets taken so far. */
uint64_t capture_file_packets(const struct capture_file *c);

#endif
