/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm_cmdline.c - the command line of a virtual machine monitor -> the NIC that its guest sees
 * behind a tap, and the machine's name. Pure; vmm.c reads the command lines.
 *
 * QEMU can say it in many ways: -netdev with -device, -nic, and the old -net; as key=value lists or
 * (libvirt) as JSON. The other monitors know virtio-net only. A program that is not known is read
 * as if it were QEMU, which finds nothing where there is nothing.
 */
#include "kernel/vmm_internal.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NICS_MAX 64

/* struct option - one argument of QEMU's: a list of properties, or a JSON object. */
struct option {
	const char *text;
	const char *implied; /* the key of a first word without one */
	json_t *json;	     /* owned; NULL when it is a list */
};

/* Copies one value up to its comma; two commas are one in the value. Returns what is behind. */
static const char *take_value(const char *p, char *out, size_t size)
{
	size_t n = 0;

	for (; *p; p++) {
		if (*p == ',') {
			if (p[1] != ',')
				break;
			p++;
		}
		if (n + 1 < size)
			out[n++] = *p;
	}
	if (size)
		out[n] = '\0';
	return *p ? p + 1 : p;
}

static bool list_get(const struct option *o, const char *key, char *out, size_t size)
{
	const char *p = o->text, *next;
	size_t len;

	for (bool first = true; *p; first = false, p = next) {
		next = take_value(p, NULL, 0);
		len = strcspn(p, "=,");
		if (p[len] == '=') {
			if (len != strlen(key) || memcmp(p, key, len) != 0)
				continue;
			take_value(p + len + 1, out, size);
			return true;
		}
		if (first && strcmp(o->implied, key) == 0) {
			take_value(p, out, size);
			return true;
		}
	}
	return false;
}

static bool json_get(const struct option *o, const char *key, char *out, size_t size)
{
	const json_t *v = json_object_get(o->json, key);

	if (json_is_string(v))
		snprintf(out, size, "%s", json_string_value(v));
	else if (json_is_integer(v))
		snprintf(out, size, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
	else
		return false;
	return true;
}

/* The value of @key; @out becomes "" when it is not there. */
static bool option_get(const struct option *o, const char *key, char *out, size_t size)
{
	out[0] = '\0';
	return o->json ? json_get(o, key, out, size) : list_get(o, key, out, size);
}

static struct option option_open(const char *text, const char *implied)
{
	struct option o = {.text = text, .implied = implied};

	if (text[0] == '{')
		o.json = json_loads(text, 0, NULL);
	return o;
}

static void option_close(struct option *o)
{
	json_decref(o->json);
}

/**
 * struct nic - one guest NIC, or one backend, or both (-nic)
 * @model:	"" for a backend
 * @netdev:	the backend's id, by which -device and -netdev find each other; "" for -nic
 * @backend:	it names a tap: @ifname or @fds may tell which
 */
struct nic {
	char model[32];
	char netdev[64];
	char mac[MAC_STRLEN];
	char ifname[IFNAMSIZ];
	char fds[256];
	bool backend;
};

/* struct machine - what the command line said so far. */
struct machine {
	struct nic nics[NICS_MAX];
	size_t n;
	bool q35;
	bool pc;
	bool virt;
	char name[64];
};

static struct nic *new_nic(struct machine *m)
{
	return m->n < NICS_MAX ? &m->nics[m->n++] : NULL;
}

static void take_backend(const struct option *o, struct nic *nic)
{
	nic->backend = true;
	option_get(o, "ifname", nic->ifname, sizeof(nic->ifname));
	if (!option_get(o, "fd", nic->fds, sizeof(nic->fds)))
		option_get(o, "fds", nic->fds, sizeof(nic->fds));
}

static bool is_backend(const struct option *o)
{
	char type[16];

	option_get(o, "type", type, sizeof(type));
	return strcmp(type, "tap") == 0 || strcmp(type, "bridge") == 0;
}

static void on_netdev(const struct option *o, struct machine *m)
{
	struct nic *nic = is_backend(o) ? new_nic(m) : NULL;

	if (!nic)
		return;
	take_backend(o, nic);
	option_get(o, "id", nic->netdev, sizeof(nic->netdev));
}

static void on_device(const struct option *o, struct machine *m)
{
	char netdev[64];
	struct nic *nic;

	if (!option_get(o, "netdev", netdev, sizeof(netdev)))
		return;
	nic = new_nic(m);
	if (!nic)
		return;
	memcpy(nic->netdev, netdev, sizeof(netdev));
	option_get(o, "driver", nic->model, sizeof(nic->model));
	option_get(o, "mac", nic->mac, sizeof(nic->mac));
}

/* What -nic and -net give a machine when no model is named. */
static const char *default_model(const struct machine *m)
{
	if (m->virt)
		return "virtio-net";
	if (m->q35)
		return "e1000e";
	return m->pc ? "e1000" : "";
}

static void on_nic(const struct option *o, struct machine *m)
{
	struct nic *nic = is_backend(o) ? new_nic(m) : NULL;

	if (!nic)
		return;
	take_backend(o, nic);
	option_get(o, "mac", nic->mac, sizeof(nic->mac));
	if (!option_get(o, "model", nic->model, sizeof(nic->model)))
		strcpy(nic->model, "default");
}

/* All of -net's NICs and backends hang on one hub: whichever NIC there is, it sees the tap. */
static void on_net(const struct option *o, struct machine *m)
{
	char type[16];
	struct nic *nic;

	option_get(o, "type", type, sizeof(type));
	if (strcmp(type, "nic") != 0 && !is_backend(o))
		return;
	nic = new_nic(m);
	if (!nic)
		return;
	if (strcmp(type, "nic") != 0)
		take_backend(o, nic);
	else if (!option_get(o, "model", nic->model, sizeof(nic->model)))
		strcpy(nic->model, "default");
	option_get(o, "macaddr", nic->mac, sizeof(nic->mac));
	if (!option_get(o, "netdev", nic->netdev, sizeof(nic->netdev)))
		strcpy(nic->netdev, "hub 0");
}

static void on_machine(const struct option *o, struct machine *m)
{
	char type[64];

	option_get(o, "type", type, sizeof(type));
	m->q35 = m->q35 || strstr(type, "q35");
	m->virt = m->virt || strcmp(type, "virt") == 0 || strncmp(type, "virt-", 5) == 0 ||
		  strcmp(type, "microvm") == 0;
}

static void on_name(const struct option *o, struct machine *m)
{
	option_get(o, "guest", m->name, sizeof(m->name));
}

static const struct {
	const char *flag;
	const char *implied;
	void (*fn)(const struct option *o, struct machine *m);
} qemu_flags[] = {
	{"netdev", "type", on_netdev}, {"device", "driver", on_device}, {"nic", "type", on_nic},
	{"net", "type", on_net},       {"machine", "type", on_machine}, {"M", "type", on_machine},
	{"name", "guest", on_name},
};

/* struct args - a walk over words that are joined by NULs; the last may lack its own. */
struct args {
	const char *p;
	const char *end;
};

static const char *args_next(struct args *a)
{
	const char *word = a->p;

	if (word >= a->end)
		return NULL;
	a->p += strlen(word) + 1;
	return word;
}

static void read_qemu(struct args a, struct machine *m)
{
	const char *word;

	while ((word = args_next(&a)) != NULL) {
		const char *flag = word[0] == '-' ? word + 1 + (word[1] == '-') : "";

		for (size_t i = 0; i < ARRAY_SIZE(qemu_flags); i++) {
			struct option o;

			if (strcmp(flag, qemu_flags[i].flag) != 0)
				continue;
			word = args_next(&a);
			if (!word)
				return;
			o = option_open(word, qemu_flags[i].implied);
			qemu_flags[i].fn(&o, m);
			option_close(&o);
			break;
		}
	}
}

/* @fds is "31" or "31:32:33". */
static bool fds_have(const char *fds, int fd)
{
	const char *p = fds;

	while (*p) {
		char *end;
		long v = strtol(p, &end, 10);

		if (end == p)
			return false;
		if (v == fd)
			return true;
		p = *end ? end + 1 : end;
	}
	return false;
}

static bool is_backend_of(const struct nic *n, const struct vmm_holder *h, const char *tap)
{
	if (!n->backend)
		return false;
	return (tap[0] && strcmp(n->ifname, tap) == 0) || (h->fd > 0 && fds_have(n->fds, h->fd));
}

static const struct nic *nic_of_backend(const struct machine *m, const struct nic *backend)
{
	if (backend->model[0])
		return backend;
	for (size_t i = 0; i < m->n; i++)
		if (m->nics[i].model[0] && backend->netdev[0] &&
		    strcmp(m->nics[i].netdev, backend->netdev) == 0)
			return &m->nics[i];
	return NULL;
}

static const struct nic *nic_by_mac(const struct machine *m, const struct mac *mac)
{
	struct mac other;

	for (size_t i = 0; i < m->n; i++)
		if (m->nics[i].model[0] && mac_parse(m->nics[i].mac, &other) == 0 &&
		    mac_equal(&other, mac))
			return &m->nics[i];
	return NULL;
}

static const struct nic *only_nic(const struct machine *m)
{
	const struct nic *found = NULL;

	for (size_t i = 0; i < m->n; i++) {
		if (!m->nics[i].model[0])
			continue;
		if (found)
			return NULL;
		found = &m->nics[i];
	}
	return found;
}

/* By the backend where it names the tap or its descriptor, else by MAC, else if there is but one. */
static const struct nic *find_nic(const struct machine *m, const struct vmm_holder *h,
				  const char *tap, const struct mac *mac)
{
	const struct nic *nic = NULL;

	for (size_t i = 0; i < m->n && !nic; i++)
		if (is_backend_of(&m->nics[i], h, tap))
			nic = nic_of_backend(m, &m->nics[i]);
	if (!nic && mac)
		nic = nic_by_mac(m, mac);
	return nic ? nic : only_nic(m);
}

/* QEMU's many names for one thing. */
static const char *plain_model(const char *model, const struct machine *m)
{
	if (strcmp(model, "default") == 0)
		return default_model(m);
	if (strncmp(model, "virtio-net", 10) == 0 || strcmp(model, "virtio") == 0)
		return "virtio-net";
	if (strncmp(model, "e1000-", 6) == 0)
		return "e1000";
	return model;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void parse_qemu(const char *program, struct args a, const char *tap, const struct mac *mac,
		       struct vmm_holder *h)
{
	struct machine *m = calloc(1, sizeof(*m));
	const struct nic *nic;

	if (!m)
		return;
	m->pc = strstr(program, "x86_64") || strstr(program, "i386") ||
		strcmp(program, "kvm") == 0 || strcmp(program, "qemu-kvm") == 0;
	read_qemu(a, m);
	nic = find_nic(m, h, tap, mac);
	if (nic) {
		snprintf(h->nic_model, sizeof(h->nic_model), "%s", plain_model(nic->model, m));
		h->has_mac = mac_parse(nic->mac, &h->mac) == 0;
	}
	memcpy(h->vm_name, m->name, sizeof(h->vm_name));
	free(m);
}

/* ---- the other monitors ---- */

/**
 * struct simple_vmm - a monitor that shows its guests one kind of NIC only
 * @program:	the start of its name: /proc/PID/comm is cut at 15 bytes
 * @nic:	the option with its NICs, of which each value is a list of properties; NULL: they are not on
 *		the command line
 * @tap:	the property that has the tap's name
 * @names:	the options that name the VM, best first; a path names it by its last part
 */
static const struct simple_vmm {
	const char *program;
	const char *nic_model;
	const char *nic;
	const char *tap;
	const char *names[4];
} simple_vmms[] = {
	/* It has no name; --net takes several values behind it, and can be repeated. */
	{"cloud-hyperviso", "virtio-net", "--net", "tap", {"--api-socket"}},
	/* Its jailer says --id=ID, people --id ID. */
	{"firecracker",
	 "virtio-net",
	 NULL,
	 NULL,
	 {"--id", "--api-sock", "--api-socket", "--config-file"}},
	{"crosvm", "virtio-net", "--net", "tap-name", {"--name"}},
	{"lkvm", "virtio-net", NULL, NULL, {"--name"}},
	{"vmlane-nsguest", "namespace", NULL, NULL, {NULL}},
};

/* Names of sockets and files that name no VM. */
static const char *const common_names[] = {
	"firecracker",
	"fc",
	"cloud-hypervisor",
	"ch",
	"api",
	"vmm",
	"vm",
	"socket",
	"config",
	"vmconfig",
	"vm-config",
	"vm_config",
	"anonymous-instance",
};

/* The next value of @option: "--option value", "--option=value"; NULL: there is none. */
static const char *option_value(struct args *a, const char *option)
{
	size_t len = strlen(option);
	const char *word;

	while ((word = args_next(a)) != NULL) {
		if (strncmp(word, option, len) != 0)
			continue;
		if (word[len] == '=')
			return word + len + 1;
		if (word[len] == '\0')
			return args_next(a);
	}
	return NULL;
}

/* "/run/vms/web1.sock", also as "path=...", is web1's. "" for what names none. */
static void name_by_path(const char *path, char *ret, size_t size)
{
	static const char *const ends[] = {".sock", ".socket", "-sock", ".json"};
	char name[64];
	size_t len;

	ret[0] = '\0';
	if (strncmp(path, "fd=", 3) == 0)
		return;
	path = base_name(strncmp(path, "path=", 5) == 0 ? path + 5 : path);
	len = strcspn(path, ",");
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		size_t end = strlen(ends[i]);

		if (len > end && memcmp(path + len - end, ends[i], end) == 0) {
			len -= end;
			break;
		}
	}
	snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : sizeof(name) - 1),
		 path);
	for (size_t i = 0; i < ARRAY_SIZE(common_names); i++)
		if (strcmp(name, common_names[i]) == 0)
			return;
	snprintf(ret, size, "%s", name);
}

static void take_name(struct args all, const struct simple_vmm *vmm, struct vmm_holder *h)
{
	for (size_t i = 0; i < ARRAY_SIZE(vmm->names) && vmm->names[i] && !h->vm_name[0]; i++) {
		struct args a = all;
		const char *value = option_value(&a, vmm->names[i]);

		if (!value)
			continue;
		if (strcmp(vmm->names[i], "--id") == 0 || strcmp(vmm->names[i], "--name") == 0)
			snprintf(h->vm_name, sizeof(h->vm_name), "%s", value);
		else
			name_by_path(value, h->vm_name, sizeof(h->vm_name));
	}
}

/* "tap=t0,mac=...", or "fd=5", or "fd=[5,6]": is it our tap's? */
static bool is_nic_of(const struct option *o, const struct simple_vmm *vmm, const char *tap, int fd)
{
	char name[IFNAMSIZ];
	const char *fds = strstr(o->text, "fd=");

	if (option_get(o, vmm->tap, name, sizeof(name)))
		return tap[0] && strcmp(name, tap) == 0;
	if (!fds || fd <= 0 || (fds != o->text && fds[-1] != ','))
		return false;
	for (fds += 3 + (fds[3] == '['); *fds >= '0' && *fds <= '9'; fds += *fds == ',') {
		char *end;

		if (strtol(fds, &end, 10) == fd)
			return true;
		fds = end;
	}
	return false;
}

static void take_mac(struct args a, const struct simple_vmm *vmm, const char *tap,
		     struct vmm_holder *h)
{
	const char *value;

	while (!h->has_mac && (value = option_value(&a, vmm->nic)) != NULL) {
		for (; value && strncmp(value, "--", 2) != 0; value = args_next(&a)) {
			struct option o = {.text = value, .implied = ""};
			char mac[MAC_STRLEN];

			if (is_nic_of(&o, vmm, tap, h->fd) &&
			    option_get(&o, "mac", mac, sizeof(mac)))
				h->has_mac = mac_parse(mac, &h->mac) == 0;
		}
		if (!value)
			break;
		/* The word that ended the list may be --net again. */
		a.p = value;
	}
}

static const struct simple_vmm *simple_vmm_of(const char *program, const char *comm)
{
	for (size_t i = 0; i < ARRAY_SIZE(simple_vmms); i++) {
		const char *known = simple_vmms[i].program;

		if (strncmp(program, known, strlen(known)) == 0 ||
		    strncmp(comm, known, strlen(known)) == 0)
			return &simple_vmms[i];
	}
	return NULL;
}

void vmm_cmdline_parse(const char *argv, size_t len, const char *tap, const struct mac *mac,
		       struct vmm_holder *h)
{
	/* A copy that surely ends in NUL. */
	char *copy = calloc(1, len + 1);
	struct args a = {.p = copy, .end = copy + len};
	const struct simple_vmm *vmm;
	const char *program;

	h->nic_model[0] = h->vm_name[0] = '\0';
	h->has_mac = false;
	if (!copy)
		return;
	if (len)
		memcpy(copy, argv, len);
	program = args_next(&a);
	program = base_name(program ? program : "");
	vmm = simple_vmm_of(program, h->comm);
	if (vmm) {
		snprintf(h->nic_model, sizeof(h->nic_model), "%s", vmm->nic_model);
		take_name(a, vmm, h);
		if (vmm->nic)
			take_mac(a, vmm, tap ? tap : "", h);
		free(copy);
		return;
	}
	parse_qemu(program, a, tap ? tap : "", mac, h);
	free(copy);
}
