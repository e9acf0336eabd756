/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * no_lookups.h - stands between libpcap and the C library's look-ups of names: counts those that could ask
 * the network. Included by one file of a program, whose functions then go before the C library's.
 */
#ifndef VMLANE_TESTS_UNIT_PATH_NO_LOOKUPS_H
#define VMLANE_TESTS_UNIT_PATH_NO_LOOKUPS_H

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/ether.h>
#include <stdbool.h>
#include <string.h>

/* How often a host's, a network's or an Ethernet station's name was looked up. */
static unsigned int lookups;

static bool lookup_is_numeric(const char *node)
{
	unsigned char a[16];

	return inet_pton(AF_INET, node, a) == 1 || inet_pton(AF_INET6, node, a) == 1;
}

/* Ports by their number or out of /etc/services, as far as libpcap looks at the answer. */
static int lookup_port(const char *service, struct addrinfo **ret)
{
	static struct sockaddr_in at;
	static struct addrinfo ai;
	const struct servent *s = service ? getservbyname(service, "tcp") : NULL;

	if (service && !s)
		return EAI_SERVICE;
	at = (struct sockaddr_in){.sin_family = AF_INET};
	at.sin_port = s ? (in_port_t)s->s_port : 0;
	ai = (struct addrinfo){
		.ai_family = AF_INET, .ai_addrlen = sizeof(at), .ai_addr = (struct sockaddr *)&at};
	*ret = &ai;
	return 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	static struct sockaddr_in6 at;
	static struct addrinfo ai;

	(void)hints;
	if (!node)
		return lookup_port(service, ret);
	if (!lookup_is_numeric(node)) {
		lookups++;
		return EAI_NONAME;
	}
	at = (struct sockaddr_in6){.sin6_family = AF_INET6};
	if (inet_pton(AF_INET6, node, &at.sin6_addr) != 1)
		return EAI_NONAME;
	ai = (struct addrinfo){
		.ai_family = AF_INET6, .ai_addrlen = sizeof(at), .ai_addr = (struct sockaddr *)&at};
	*ret = &ai;
	return 0;
}

void freeaddrinfo(struct addrinfo *ai)
{
	(void)ai;
}

struct hostent *gethostbyname(const char *name)
{
	(void)name;
	lookups++;
	return NULL;
}

int getnetbyname_r(const char *name, struct netent *net, char *buf, size_t size,
		   struct netent **ret, int *h_err)
{
	(void)name;
	(void)net;
	(void)buf;
	(void)size;
	lookups++;
	*ret = NULL;
	*h_err = HOST_NOT_FOUND;
	return ENOENT;
}

int ether_hostton(const char *name, struct ether_addr *ret)
{
	(void)name;
	(void)ret;
	lookups++;
	return -1;
}

#endif
