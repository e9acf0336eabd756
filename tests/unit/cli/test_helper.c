/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of cli/helper_guest.c: which network and which guest a QEMU means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "cli/helper_guest.h"

static json_t *json(const char *text)
{
	json_error_t e;
	json_t *j = json_loads(text, 0, &e);

	if (!j)
		fail_msg("%s: %s", text, e.text);
	return j;
}

static void test_network(void **state)
{
	/* lab's bridge is called like a network: bridges come first */
	json_t *networks =
		json("{\"networks\": [{\"name\": \"default\", \"bridge\": \"vl-default\"},"
		     " {\"name\": \"lab\", \"bridge\": \"default\"}]}");
	json_t *none = json("{\"networks\": []}");
	struct err_list *errs = calloc(1, sizeof(*errs));
	const char *name = NULL;

	(void)state;
	assert_non_null(errs);
	assert_int_equal(helper_network_find(networks, "vl-default", &name, errs), 0);
	assert_string_equal(name, "default");
	assert_int_equal(helper_network_find(networks, "default", &name, errs), 0);
	assert_string_equal(name, "lab");
	assert_int_equal(helper_network_find(networks, "lab", &name, errs), 0);
	assert_string_equal(name, "lab");
	assert_int_equal(errs->n, 0);
	assert_int_equal(helper_network_find(networks, "br0", &name, errs), -ENOENT);
	assert_non_null(strstr(errs->items[0].message, "default (vl-default), lab (default)"));
	assert_int_equal(helper_network_find(none, "br0", &name, errs), -ENOENT);
	assert_non_null(strstr(errs->items[1].message, "network create"));
	json_decref(networks);
	json_decref(none);
	free(errs);
}

static void test_name(void **state)
{
	static const struct {
		const char *vm_name;
		const char *name;
	} cases[] = {
		{"web1", "vm-42-2"}, /* taken, and so is vm-42 */
		{"web3", "vm-42-2"}, /* configured, but on another network */
		{"web2", "web2"},    /* configured here and never plugged in */
		{"new", "new"},	     {"", "vm-42-2"}, {"My VM", "vm-42-2"}, {"../x", "vm-42-2"},
	};
	json_t *guests =
		json("{\"guests\": [{\"name\": \"web1\", \"network\": \"lan\", \"kind\": \"run\"},"
		     " {\"name\": \"web2\", \"network\": \"lan\", \"kind\": \"configured\"},"
		     " {\"name\": \"web3\", \"network\": \"other\", \"kind\": \"configured\"},"
		     " {\"name\": \"vm-42\", \"network\": \"lan\", \"kind\": \"run\"}]}");
	char name[NAME_MAX_LEN + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		helper_name(guests, "lan", cases[i].vm_name, 42, name);
		assert_string_equal(name, cases[i].name);
	}
	helper_name(guests, "lan", "", 43, name);
	assert_string_equal(name, "vm-43");
	json_decref(guests);
}

/* '|' stands for the NUL between arguments. */
static void test_mac(void **state)
{
	static const struct {
		const char *cmdline;
		const char *mac;
	} cases[] = {
		{"qemu|-netdev|bridge,id=n0,br=lan,helper=/"
		 "x|-device|e1000,netdev=n0,mac=52:54:00:00:00:01",
		 "52:54:00:00:00:01"},
		{"qemu|--device|virtio-net-pci,mac=52:54:00:00:00:02,netdev=n0|--netdev|bridge,br="
		 "lan,id=n0",
		 "52:54:00:00:00:02"},
		{"qemu|-nic|bridge,br=lan,mac=52:54:00:00:00:03,model=virtio-net-pci",
		 "52:54:00:00:00:03"},
		{"qemu|-netdev|bridge,id=a,br=lan|-netdev|bridge,id=b,br=wan|-device|x,netdev=b,"
		 "mac=52:54:00:00:00:04|-device|x,netdev=a,mac=52:54:00:00:00:05",
		 "52:54:00:00:00:05"},
		/* two on one network: which one asks cannot be told */
		{"qemu|-nic|bridge,br=lan,mac=52:54:00:00:00:03|-nic|bridge,br=lan", NULL},
		{"qemu|-netdev|bridge,id=n0,br=lan|-device|e1000,netdev=n0", NULL},
		{"qemu|-netdev|bridge,id=n0,br=lan|-device|e1000,netdev=n0,mac=nonsense", NULL},
		{"qemu|-netdev|bridge,id=n0,br=lan", NULL},
		{"qemu|-netdev|bridge,br=lan|-device", NULL},
		{"qemu|-netdev|bridge,id=n0|-device|e1000,netdev=n0,mac=52:54:00:00:00:01", NULL},
		{"qemu|-netdev|bridges,br=lan,id=n0|-device|x,netdev=n0,mac=52:54:00:00:00:01",
		 NULL},
		{"qemu|-netdev", NULL},
		{"qemu|-netdev|", NULL},
		{"qemu||||,,,=|-nic|bridge,,,br=|", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].cmdline);
		char *argv = strdup(cases[i].cmdline), text[MAC_STRLEN];
		struct mac mac;
		int r;

		assert_non_null(argv);
		for (size_t k = 0; k < len; k++)
			if (argv[k] == '|')
				argv[k] = '\0';
		r = helper_mac(argv, len ? len + 1 : 0, "lan", &mac);
		assert_int_equal(r, cases[i].mac ? 0 : -ENOENT);
		if (cases[i].mac)
			assert_string_equal(mac_format(&mac, text), cases[i].mac);
		free(argv);
	}
}

static void test_proc(void **state)
{
	(void)state;
	assert_int_equal(helper_stat_ppid("12 (sh) S 7 12 12 0 -1"), 7);
	assert_int_equal(helper_stat_ppid("12 (a) b) S 1 (x) R 9 0"), 9);
	assert_int_equal(helper_stat_ppid("12 (sh) S 0 12"), 0);
	assert_int_equal(helper_stat_ppid("12 (sh) S"), 0);
	assert_int_equal(helper_stat_ppid("nonsense"), 0);
	assert_int_equal(helper_stat_ppid(""), 0);
	assert_true(helper_is_shell("sh\n"));
	assert_true(helper_is_shell("dash"));
	assert_true(helper_is_shell("bash\n"));
	assert_false(helper_is_shell("shx\n"));
	assert_false(helper_is_shell("qemu-system-x86\n"));
	assert_false(helper_is_shell(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
