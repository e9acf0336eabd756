/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rates.h - limits on what guests send, as the nftables table `netdev vmlane`: for each limited tap
 * a chain of its name at the tap's ingress, which drops what is over the rate.
 *
 * A frame of another tap meets none of them. This half is pure: rates <-> text. nft.h puts it into
 * the kernel.
 */
#ifndef VMLANE_FIREWALL_RATES_H
#define VMLANE_FIREWALL_RATES_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

/* struct fw_rate - @bits a second by @ifname; 0: a chain that is there and not as we make them. */
struct fw_rate {
	char ifname[IFNAMSIZ];
	uint64_t bits;
};

/* struct fw_rates - sorted by name; owned. @present: there is a table, maybe an empty one. */
struct fw_rates {
	struct fw_rate *v;
	size_t n;
	size_t cap;
	bool present;
};

void fw_rates_done(struct fw_rates *r);
/* fw_rates_add() - -ENOMEM; -EINVAL for a name that nft's words cannot hold safely. */
int fw_rates_add(struct fw_rates *r, const char *ifname, uint64_t bits) __must_check;
void fw_rates_sort(struct fw_rates *r);
/* fw_rates_find() - NULL when @ifname has none; @r is sorted. */
const struct fw_rate *fw_rates_find(const struct fw_rates *r, const char *ifname);

/*
 * fw_rates_read() - nft's listing of the table (nft_list_rates(), "" when there is none) to rates.
 * Returns 0, -EBADMSG for what is no listing, -ENOMEM.
 */
int fw_rates_read(const char *listing, struct fw_rates *ret) __must_check;

/*
 * fw_rates_delta() - a transaction from @from to @to, both sorted. Returns the number of changed
 * taps and of the table itself (0: nothing to do), or @out->error.
 */
int fw_rates_delta(const struct fw_rates *from, const struct fw_rates *to,
		   struct buf *out) __must_check;

/*
 * fw_rates_put() - a transaction that limits @rate's tap, whatever it had, without a look at the
 * others; fw_rates_drop(): one that ends it, with the table when it is the @last.
 */
void fw_rates_put(const struct fw_rate *rate, struct buf *out);
void fw_rates_drop(const char *ifname, bool last, struct buf *out);

#endif
