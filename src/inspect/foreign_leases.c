/* SPDX-License-Identifier: GPL-2.0-or-later */
/* foreign_leases.c - see foreign_leases.h. */
#include "inspect/foreign_leases.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_LEN 512

static int add(struct foreign_leases *out, const struct foreign_lease *l)
{
	if (out->n == FOREIGN_LEASES_MAX)
		return -E2BIG;
	if (out->n == out->cap) {
		size_t cap = out->cap ? out->cap * 2 : 32;
		struct foreign_lease *v = reallocarray(out->v, cap, sizeof(*v));

		if (!v)
			return -ENOMEM;
		out->v = v;
		out->cap = cap;
	}
	out->v[out->n++] = *l;
	return 0;
}

static int take_line(const char *line, struct foreign_leases *out)
{
	char mac[32], addr[64], host[64];
	struct foreign_lease l = {0};
	long long expires;
	char *end;

	errno = 0;
	expires = strtoll(line, &end, 10);
	if (errno || end == line || expires < 0 ||
	    sscanf(end, " %31s %63s %63s", mac, addr, host) != 3)
		return 0;
	if (mac_parse(mac, &l.mac) < 0 || ip4_parse(addr, &l.addr) < 0)
		return 0;
	l.expires_s = expires;
	if (strcmp(host, "*") != 0)
		memcpy(l.hostname, host, sizeof(l.hostname));
	return add(out, &l);
}

int foreign_leases_dnsmasq(const char *text, size_t len, struct foreign_leases *out)
{
	const char *p = text, *end = text + len;
	char line[LINE_LEN];
	int r = 0;

	while (p < end && r == 0) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((stop ? stop : end) - p);

		if (n < sizeof(line)) {
			memcpy(line, p, n);
			line[n] = '\0';
			r = take_line(line, out);
		}
		p += n + 1;
	}
	return r;
}

static const char *text_of(const json_t *entry, const char *key)
{
	const char *s = json_string_value(json_object_get(entry, key));

	return s ? s : "";
}

int foreign_leases_libvirt(const char *text, size_t len, struct foreign_leases *out)
{
	json_t *all = json_loadb(text, len, JSON_ALLOW_NUL, NULL), *entry;
	size_t i;
	int r = 0;

	json_array_foreach (all, i, entry) {
		struct foreign_lease l = {0};

		if (mac_parse(text_of(entry, "mac-address"), &l.mac) < 0 ||
		    ip4_parse(text_of(entry, "ip-address"), &l.addr) < 0)
			continue;
		l.expires_s = json_integer_value(json_object_get(entry, "expiry-time"));
		snprintf(l.hostname, sizeof(l.hostname), "%s", text_of(entry, "hostname"));
		r = add(out, &l);
		if (r < 0)
			break;
	}
	json_decref(all);
	return r;
}

/* ---- the files ---- */

typedef int (*parse_fn)(const char *text, size_t len, struct foreign_leases *out);

static const struct {
	const char *pattern;
	parse_fn parse;
} places[] = {
	{"/var/lib/libvirt/dnsmasq/*.status", foreign_leases_libvirt},
	{"/var/lib/libvirt/dnsmasq/*.leases", foreign_leases_dnsmasq},
	{"/var/lib/misc/dnsmasq*.leases", foreign_leases_dnsmasq},
	{"/var/lib/NetworkManager/dnsmasq-*.leases", foreign_leases_dnsmasq},
	{"/var/lib/lxd/networks/*/dnsmasq.leases", foreign_leases_dnsmasq},
	{"/var/snap/lxd/common/lxd/networks/*/dnsmasq.leases", foreign_leases_dnsmasq},
	{"/var/lib/incus/networks/*/dnsmasq.leases", foreign_leases_dnsmasq},
};

static int take_file(const char *path, parse_fn parse, struct foreign_leases *out)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_(freep) char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FOREIGN_FILE_MAX)
		return 0;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	n = read(fd, text, (size_t)st.st_size);
	return n > 0 ? parse(text, (size_t)n, out) : 0;
}

int foreign_leases_read(struct foreign_leases *ret)
{
	struct foreign_leases out = {0};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(places) && r == 0; i++) {
		glob_t g;

		if (glob(places[i].pattern, 0, NULL, &g) != 0)
			continue;
		for (size_t k = 0; k < g.gl_pathc && r == 0; k++)
			r = take_file(g.gl_pathv[k], places[i].parse, &out);
		globfree(&g);
	}
	if (r < 0)
		foreign_leases_done(&out);
	else
		*ret = out;
	return r;
}

void foreign_leases_done(struct foreign_leases *l)
{
	free(l->v);
	*l = (struct foreign_leases){0};
}
