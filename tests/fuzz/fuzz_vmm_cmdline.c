/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_vmm_cmdline.c - a command line as another process wrote it, by all ways of finding the NIC.
 * The first byte chooses the descriptor.
 */
// libs: kernel
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/vmm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mac mac = {{0x52, 0x54, 0x00, 0x39, 0xd3, 0xfe}};
	struct vmm_holder h = {.fd = size ? data[0] : 0};

	if (size == 0)
		return 0;
	vmm_cmdline_parse((const char *)data + 1, size - 1, "vl-web1", &mac, &h);
	assert(strnlen(h.nic_model, sizeof(h.nic_model)) < sizeof(h.nic_model));
	assert(strnlen(h.vm_name, sizeof(h.vm_name)) < sizeof(h.vm_name));
	vmm_cmdline_parse((const char *)data + 1, size - 1, NULL, NULL, &h);
	return 0;
}
