/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp4_equal.h - do two DHCPv4 messages mean the same? For the unit tests and the fuzz target. */
#ifndef VMLANE_TESTS_WIRE_DHCP4_EQUAL_H
#define VMLANE_TESTS_WIRE_DHCP4_EQUAL_H

#include <string.h>
#include "base/macro.h"
#include "wire/dhcp4.h"

/* dhcp4_difference() - the first field in which @a and @b differ, or NULL. */
static inline const char *dhcp4_difference(const struct dhcp4_msg *a, const struct dhcp4_msg *b)
{
#define FIELD(f)                                                                                   \
	{                                                                                          \
#f, &a->f, &b->f, sizeof(a->f)                                                     \
	}
	/* Field by field: memcmp() of the whole would look at the padding between them. */
	const struct {
		const char *name;
		const void *a;
		const void *b;
		size_t size;
	} fields[] = {
		FIELD(op),
		FIELD(xid),
		FIELD(secs),
		FIELD(broadcast),
		FIELD(ciaddr),
		FIELD(yiaddr),
		FIELD(siaddr),
		FIELD(giaddr),
		FIELD(chaddr),
		FIELD(type),
		FIELD(requested),
		FIELD(server_id),
		FIELD(client_id),
		FIELD(client_id_len),
		FIELD(hostname),
		FIELD(vendor_class),
		FIELD(params),
		FIELD(n_params),
		FIELD(agent_info),
		FIELD(agent_info_len),
		FIELD(mask),
		FIELD(router),
		FIELD(dns),
		FIELD(n_dns),
		FIELD(domain),
		FIELD(mtu),
		FIELD(broadcast_addr),
		FIELD(lease_s),
		FIELD(renew_s),
		FIELD(rebind_s),
		FIELD(message),
		FIELD(max_size),
	};
#undef FIELD

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (memcmp(fields[i].a, fields[i].b, fields[i].size) != 0)
			return fields[i].name;
	}
	return NULL;
}

#endif
