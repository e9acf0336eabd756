/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy.h - networks' policies in the table `inet vmlane`: what guests may reach on the host and
 * elsewhere, who may reach them, and how many connections each may have. See model/policy.h for the
 * rules' words.
 *
 *   new_out   from way_out (and from visit), for the first packet of a connection: the metadata
 *             address, limits, the rules `out` of the network it comes from, then the rules `in`
 *             of that it goes to, where it is one of ours (peers, forwards).
 *   to_guest  the rules `in`, before what the network's mode says of new connections.
 *   to_host   from host_LEN: DHCP, neighbour discovery and group membership always pass; then
 *             the metadata address, limits, the rules `host`, and what `closed` leaves open.
 *
 * A network with rules has a chain of its own for each direction, out/NAME, in/NAME and host/NAME,
 * found by its bridge in a verdict map; one without has no element there. Each rule has a counter
 * rule/NAME/ID that outlives changes of other rules. Guests that send are known by their MAC, so
 * that all addresses they use are meant; guests that are sent to by the addresses they have.
 */
#ifndef VMLANE_FIREWALL_POLICY_H
#define VMLANE_FIREWALL_POLICY_H

#include "firewall/lines.h"
#include "firewall/ruleset.h"

#define FW_POLICY_LOG_GROUP 0x766c /* of NFLOG; "vl" */
#define FW_POLICY_LOG_S 10	   /* packets a second and rule that are told */
#define FW_POLICY_ID_STRLEN 17

/* fw_policy_id() - what counter and log prefix call the rule: the hash of its words. */
const char *fw_policy_id(const struct policy_rule *r, char buf[static FW_POLICY_ID_STRLEN]);

/* ---- for ruleset.c ---- */

/* fw_policy_check() - -EINVAL: names that cannot stand in a rule, or a guest or set that is not there. */
int fw_policy_check(const struct fw_network *n) __must_check;
/* fw_policy_skeleton() - what is always there; ahead of the chains that use it. */
void fw_policy_skeleton(struct buf *out);
/* fw_policy_chains() - the sets, counters and chains of @d's networks. */
int fw_policy_chains(const struct fw_desired *d, struct buf *out) __must_check;
void fw_policy_elements(const struct fw_network *n, struct lines *out);

#endif
