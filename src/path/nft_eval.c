/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_eval.c - see nft_eval.h. */
#include "path/nft_eval.h"

#include <stdio.h>
#include <string.h>

static const char *const outcomes[] = {
	[NFTEVAL_ACCEPT] = "accept", [NFTEVAL_DROP] = "drop",	    [NFTEVAL_QUEUE] = "queue",
	[NFTEVAL_STOLEN] = "stolen", [NFTEVAL_UNKNOWN] = "unknown",
};
_Static_assert(ARRAY_SIZE(outcomes) == NFTEVAL_UNKNOWN + 1, "a name for each outcome");

const char *nfteval_outcome_name(enum nfteval_outcome o)
{
	return outcomes[o];
}

int nfteval_run(const struct nftprog *p, const struct nfteval_at *at,
		const struct nfteval_asked *asked, struct nfteval_packet *pkt,
		struct nfteval_result *ret)
{
	const struct nftprog_chain *chains[1];

	memset(ret, 0, sizeof(*ret));
	if (!nftprog_bases(p, at->pf, at->hook, at->device, chains, ARRAY_SIZE(chains)))
		return 0;
	ret->outcome = NFTEVAL_UNKNOWN;
	ret->unknown_chain = chains[0];
	snprintf(ret->unknown, sizeof(ret->unknown), "rules");
	return 0;
}
