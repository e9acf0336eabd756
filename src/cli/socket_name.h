/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * socket_name.h - names for sockets in the daemon's messages. The daemon may not look into other
 * people's processes and writes "socket:[N] of uid U", as /proc has it; root's command may.
 */
#ifndef VMLANE_CLI_SOCKET_NAME_H
#define VMLANE_CLI_SOCKET_NAME_H

#include <stddef.h>

/*
 * socket_name() - put "NAME (pid P)" for the first "socket:[N] of uid U" in @text of @size. Unless
 * it is there, we are root and the process is seen, @text stays as it is.
 */
void socket_name(char *text, size_t size);

#endif
