/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftext.h - nf_tables by text, through libnftables, for what traces and explains. No process is
 * executed.
 *
 * Works on the network namespace of the thread that opens it. Open it before the process has 1024
 * descriptors (libnftables 1.0.6 uses select()).
 */
#ifndef VMLANE_PATH_NFTEXT_H
#define VMLANE_PATH_NFTEXT_H

#include "base/err.h"

struct nftext;

/*
 * nftext_open() - -EMFILE, -ENOMEM. The socket is closed on exec(), so that what it owns (tables with
 * `flags owner`) does not live on in a child.
 */
int nftext_open(struct nftext **ret) __must_check;
void nftext_close(struct nftext *n);
DEFINE_CLEANUP(struct nftext *, nftext_close)

/*
 * nftext_run() - one transaction, or one listing with @output (NFT_CTX_OUTPUT_*, or-ed)
 * @what:	"list the rules": for the message
 *
 * -EPERM, or -EIO with libnftables' words.
 */
int nftext_run(struct nftext *n, const char *text, unsigned int output, const char *what,
	       struct err *e) __must_check;

/* nftext_output() - what the last nftext_run() listed; valid until the next. */
const char *nftext_output(const struct nftext *n);

/* nftext_warnings() - what it had to say besides, "" for nothing; valid until the next. */
const char *nftext_warnings(const struct nftext *n);

#endif
