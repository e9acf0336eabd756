/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmm_internal.h - what vmm.c and vmm_cmdline.c share beyond vmm.h. */
#ifndef VMLANE_KERNEL_VMM_INTERNAL_H
#define VMLANE_KERNEL_VMM_INTERNAL_H

#include "kernel/vmm.h"

#define VMM_CMDLINE_MAX (256 << 10) /* bytes of a command line that are looked at */
#define VMM_HOLDERS_MAX 65536

#endif
