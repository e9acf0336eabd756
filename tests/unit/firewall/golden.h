/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * golden.h - the cases of tests/golden/ruleset: NAME.networks (the input, one network a line:
 * BRIDGE SUBNET MIN-MAX|MODE UPLINK... and, among those, NAT's source A or A-B, the bridge's MAC
 * where guests are isolated, with IPv6 its SUBNET and 6:UPLINK...; below it its forwards, each as
 * "+ ADDRESS FORWARD", and its policy, guests and limits in one line of YAML, "network: NAME, policy:
 * { ... }"; or a line "closed: IFNAME..." ("all": the whole host) with the bridges that
 * only switch as "switch:IFNAME"; or "peers6: BRIDGE BRIDGE", one direction), NAME.nft
 * (the transaction), NAME.listing (what the kernel then has). GOLDEN_UPDATE=1 in the environment
 * writes the expectations anew.
 */
#ifndef VMLANE_TESTS_GOLDEN_H
#define VMLANE_TESTS_GOLDEN_H

#include "firewall/ruleset.h"

#define GOLDEN_NETWORKS 16
#define GOLDEN_GUESTS 16
#define GOLDEN_UPLINKS 8
#define GOLDEN_TEXT_MAX (1 << 20)

/* struct golden_input - storage behind @desired. */
struct golden_input {
	struct fw_network networks[GOLDEN_NETWORKS];
	char uplinks[GOLDEN_NETWORKS][GOLDEN_UPLINKS][IFNAMSIZ];
	struct guest_config guests[GOLDEN_GUESTS];
	struct forward forwards[GOLDEN_GUESTS];
	size_t n_guests;
	char uplinks6[GOLDEN_NETWORKS][GOLDEN_UPLINKS][IFNAMSIZ];
	char closed[GOLDEN_UPLINKS][IFNAMSIZ];
	char switches[GOLDEN_UPLINKS][IFNAMSIZ];
	struct fw_peer peers[GOLDEN_UPLINKS];
	struct fw_desired desired;
};

/* golden_each() - call @fn for every case, by its name; fails the test when there is none. */
void golden_each(void (*fn)(const char *name));
void golden_input_read(const char *name, struct golden_input *ret);
/* golden_check() - @text has to be what NAME.@suffix holds. */
void golden_check(const char *name, const char *suffix, const char *text);

#endif
