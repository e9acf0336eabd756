/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diagnose_words.h - to put a struct diagnosis together: its words, and looking facts up. For the tables
 * of diagnose_internal.h, and for inspect/doctor.h, which finds causes without a packet.
 */
#ifndef VMLANE_PATH_DIAGNOSE_WORDS_H
#define VMLANE_PATH_DIAGNOSE_WORDS_H

#include "path/diagnose.h"

/* ---- words ---- */

void diagnosis_cause(struct diagnosis *d, const char *fmt, ...) __printf(2, 3);
void diagnosis_mend(struct diagnosis *d, const char *fmt, ...) __printf(2, 3);
void diagnosis_advice(struct diagnosis *d, const char *fmt, ...) __printf(2, 3);
void diagnosis_saw(struct diagnosis *d, const char *kind, const char *fmt, ...) __printf(3, 4);

/* An interface's name may hold anything but a blank and a slash: what a shell takes for the same. */
struct quoted {
	char text[96];
};
struct quoted shell_quote(const char *word);

/* address_str() - as struct quoted, by value, so that several fit into one call. */
struct address_str {
	char text[48];
};
struct address_str address_str(uint8_t family, const uint8_t addr[16]);

/* ---- facts ---- */

const struct link_state *fact_link(const struct facts *f, int ifindex);
const struct fdb_entry *fact_fdb(const struct facts *f, int bridge, const uint8_t mac[6]);
const struct fact_neigh *fact_neigh(const struct facts *f, int ifindex, uint8_t family,
				    const uint8_t addr[16]);

/* fact_number() - a sysctl as a number; @missing where there is none. */
long fact_number(const struct facts *f, long missing, const char *fmt, ...) __printf(3, 4);

/* fact_network() - the host's own address on @ifindex whose network has @addr; NULL: none. */
const struct addr_state *fact_network(const struct facts *f, int ifindex, struct in_addr addr);

/* fact_ours() - @bridge carries our network of this name, or NULL. */
const char *fact_ours(const struct link_state *bridge);

/* address_in() - whether the first @len bits of the two are the same. */
bool address_in(const uint8_t *net, unsigned int len, const uint8_t *addr);

/* is_private() - an address that has no meaning in the Internet. RFC 1918, 6598, 4193 */
bool address_private(uint8_t family, const uint8_t addr[16]);

#endif
