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

/*
 * Ahead of what asks policies and limits. A connection stays `new` until it is answered, which some
 * never are (one-way UDP, ESP, GRE): its first packet gets a label, and those after it pass by that. What
 * is refused never becomes a connection, so that its next packet is asked about again.
 *
 * That conntrack has confirmed the connection would not do: with br_netfilter it confirms what a guest
 * has sent to another one inside of the bridge, whatever address the packet was for, and the guest would
 * get out by sending the same to the gateway's MAC. Only what is not confirmed gets the label, so that
 * such a connection never has it. One from before the table's first rule has no place for labels.
 */
#define FW_POLICY_LABEL "118" /* of 128; 'v' */
#define FW_POLICY_JUDGED                                                                           \
	"		ct label " FW_POLICY_LABEL " accept\n"                                     \
	"		ct status & confirmed == 0 ct label set " FW_POLICY_LABEL "\n"

/* fw_policy_check() - -EINVAL: names that cannot stand in a rule, or a guest or set that is not there. */
int fw_policy_check(const struct fw_network *n) __must_check;
/* fw_policy_skeleton() - what is always there; ahead of the chains that use it. */
void fw_policy_skeleton(struct buf *out);
/* fw_policy_chains() - the sets, counters and chains of @d's networks. */
int fw_policy_chains(const struct fw_desired *d, struct buf *out) __must_check;
void fw_policy_elements(const struct fw_network *n, struct lines *out);

#endif
