/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipsec.h - which packets IPsec has its say about: the policies of xfrm (`ip xfrm policy`). */
#ifndef VMLANE_KERNEL_IPSEC_H
#define VMLANE_KERNEL_IPSEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/**
 * struct ipsec_policy - a policy's selector, as far as addresses go
 * @family:	AF_INET, AF_INET6, or 0 for both
 * @dir:	XFRM_POLICY_IN, _OUT, _FWD of linux/xfrm.h
 * @src, @dst:	network byte order, IPv4 in the first four bytes; @src_len, @dst_len: bits that count
 * @l4:		protocol, 0 for all
 */
struct ipsec_policy {
	uint8_t family;
	uint8_t dir;
	uint8_t src_len;
	uint8_t dst_len;
	uint8_t l4;
	uint8_t src[16];
	uint8_t dst[16];
};

/*
 * ipsec_policies() - those of the calling thread's network namespace, without sockets' own; free(*ret). A
 * kernel without IPsec has none. -errno with words.
 */
int ipsec_policies(struct ipsec_policy **ret, size_t *ret_n, struct err *e) __must_check;

/* ipsec_policy_is_for() - whether @p is about what goes from @src to @dst, whatever its ports. */
bool ipsec_policy_is_for(const struct ipsec_policy *p, uint8_t family, uint8_t l4,
			 const uint8_t *src, const uint8_t *dst);

#endif
