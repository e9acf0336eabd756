/* SPDX-License-Identifier: GPL-2.0-or-later */
/* demo_dns.h - the resolver of the demo's Internet. */
#ifndef VMLANE_CLI_DEMO_DNS_H
#define VMLANE_CLI_DEMO_DNS_H

#include <stddef.h>
#include <stdint.h>

#define DEMO_DNS_MAX 512 /* RFC 1035 2.3.4, over UDP */

/* demo_dns_answer() - the answer to the @len bytes of a query: its length, 0 for no answer. Pure. */
size_t demo_dns_answer(const uint8_t *query, size_t len, uint8_t out[static DEMO_DNS_MAX]);

/* demo_dns_run() - answer queries on the UDP socket @fd for ever. */
void demo_dns_run(int fd) __attribute__((noreturn));

#endif
