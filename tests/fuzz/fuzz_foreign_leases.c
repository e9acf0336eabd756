/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_foreign_leases.c - a lease file as another program wrote it; the first byte chooses whose. */
// libs: inspect
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "inspect/foreign_leases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct foreign_leases l = {0};
	int r;

	if (size == 0)
		return 0;
	if (data[0] & 1)
		r = foreign_leases_dnsmasq((const char *)data + 1, size - 1, &l);
	else
		r = foreign_leases_libvirt((const char *)data + 1, size - 1, &l);
	assert(r == 0);
	for (size_t i = 0; i < l.n; i++)
		assert(strnlen(l.v[i].hostname, sizeof(l.v[i].hostname)) < sizeof(l.v[i].hostname));
	foreign_leases_done(&l);
	return 0;
}
