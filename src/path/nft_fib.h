/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_fib.h - answers for nft_eval.h what rules ask the routing tables (fib, addrtype), by asking the
 * kernel (RTM_GETROUTE). Sends nothing to the network.
 */
#ifndef VMLANE_PATH_NFT_FIB_H
#define VMLANE_PATH_NFT_FIB_H

#include "base/err.h"
#include "path/nft_eval.h"

struct nftfib;

/* nftfib_open() - for the network namespace of the calling thread. -EMFILE, -ENOMEM. */
int nftfib_open(struct nftfib **ret, struct err *e) __must_check;
void nftfib_close(struct nftfib *f);
DEFINE_CLEANUP(struct nftfib *, nftfib_close)

/* nftfib_asked() - the callbacks, valid as long as @f is. */
struct nfteval_asked nftfib_asked(struct nftfib *f);

#endif
