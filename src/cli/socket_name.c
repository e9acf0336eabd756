/* SPDX-License-Identifier: GPL-2.0-or-later */
/* socket_name.c - see socket_name.h. */
#include "cli/socket_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "kernel/proc.h"

#define PREFIX "socket:["

/* "socket:[N] of uid U": where it ends, and N; NULL when it is none. */
static char *parse(char *at, uint32_t *ret_inode)
{
	static const char of[] = "] of uid ";
	char inode[11], *p = at + strlen(PREFIX);
	size_t len = strspn(p, "0123456789");

	snprintf(inode, sizeof(inode), "%.*s", len < sizeof(inode) ? (int)len : 0, p);
	p += len;
	if (strncmp(p, of, strlen(of)) != 0 || text_u32(inode, 1, UINT32_MAX, ret_inode) < 0)
		return NULL;
	p += strlen(of);
	return p + strspn(p, "0123456789");
}

void socket_name(char *text, size_t size)
{
	char *at = strstr(text, PREFIX), *end, *rest, comm[PROC_COMM_MAX];
	uint32_t inode;
	pid_t pid;

	if (!at || geteuid() != 0)
		return;
	end = parse(at, &inode);
	if (!end || proc_socket_holder(inode, &pid, comm) < 0)
		return;
	/* It may have called itself anything. */
	for (char *c = comm; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	rest = strdup(end);
	if (!rest)
		return;
	snprintf(at, size - (size_t)(at - text), "%s (pid %d)%s", comm, (int)pid, rest);
	free(rest);
}
