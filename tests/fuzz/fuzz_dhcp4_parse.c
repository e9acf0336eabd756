/* SPDX-License-Identifier: GPL-2.0-or-later */
// libs: wire base
/*
 * fuzz_dhcp4_parse.c - any bytes as a DHCPv4 message. What is understood is built again, and what is
 * built must mean the same; also where the receiver has little room, as far as it then has to.
 */
#include <stdlib.h>
#include "../unit/wire/dhcp4_equal.h"
#include "wire/dhcp4.h"

#define DATAGRAM_MIN 576
#define HEADERS 28

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(const char *s, size_t size)
{
	size_t len = strnlen(s, size);

	must(len < size);
	for (size_t i = 0; i < len; i++)
		must(s[i] >= ' ' && s[i] <= '~');
}

static void check_bounds(const struct dhcp4_msg *m)
{
	must(m->op == 1 || m->op == 2);
	must(m->type >= DHCP4_DISCOVER && m->type < DHCP4_TYPE_COUNT);
	must(m->client_id_len <= sizeof(m->client_id));
	must(m->agent_info_len <= sizeof(m->agent_info));
	must(m->n_params <= sizeof(m->params));
	must(m->n_dns <= DHCP4_DNS_MAX);
	check_text(m->hostname, sizeof(m->hostname));
	check_text(m->vendor_class, sizeof(m->vendor_class));
	check_text(m->domain, sizeof(m->domain));
	check_text(m->message, sizeof(m->message));
}

/* With all the room there is, nothing is lost. */
static void check_round_trip(const struct dhcp4_msg *m)
{
	uint8_t bytes[2 * DHCP4_MSG_MAX];
	struct dhcp4_msg roomy = *m, back;
	int len;

	if (m->op == 2)
		roomy.max_size = UINT16_MAX;
	len = dhcp4_build(&roomy, bytes, sizeof(bytes));
	must(len >= 300);
	must(dhcp4_parse(bytes, (size_t)len, &back) == 0);
	if (m->op == 2) /* not sent: see struct dhcp4_msg */
		back.max_size = roomy.max_size;
	must(dhcp4_difference(&roomy, &back) == NULL);
}

/* With the client's room only, a reply has what a reply needs. */
static void check_small(const struct dhcp4_msg *m)
{
	size_t room = m->max_size > DATAGRAM_MIN ? m->max_size : DATAGRAM_MIN;
	uint8_t bytes[DHCP4_MSG_MAX];
	struct dhcp4_msg reply = *m, back;
	int len;

	reply.op = 2;
	reply.requested.s_addr = 0; /* servers do not send it */
	len = dhcp4_build(&reply, bytes, sizeof(bytes));
	must(len >= 300 && (size_t)len <= room - HEADERS);
	must(dhcp4_parse(bytes, (size_t)len, &back) == 0);
	must(back.type == m->type && ip4_equal(back.server_id, m->server_id));
	must(back.lease_s == m->lease_s && ip4_equal(back.mask, m->mask));
	must(back.client_id_len == m->client_id_len);
	must(memcmp(back.client_id, m->client_id, m->client_id_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dhcp4_msg m;

	if (dhcp4_parse(data, size, &m) < 0)
		return 0;
	check_bounds(&m);
	check_round_trip(&m);
	check_small(&m);
	return 0;
}
