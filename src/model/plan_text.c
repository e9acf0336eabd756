/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_text.c - a plan's steps for people: one line each; see plan.h. */
#include "model/plan.h"

#include <assert.h>
#include <string.h>

static void tap_delete(const struct plan_step *s, struct buf *out)
{
	buf_printf(out, "- tap %s", s->ifname);
}

static void bridge_delete(const struct plan_step *s, struct buf *out)
{
	buf_printf(out, "- bridge %s", s->ifname);
}

static void bridge_create(const struct plan_step *s, struct buf *out)
{
	char mac[MAC_STRLEN];

	buf_printf(out, "+ bridge %s (%s)", s->ifname, mac_format(&s->mac, mac));
}

/* "old -> ", or nothing when there was no old value. */
static void replaced(const struct plan_step *s, struct buf *out)
{
	if (s->replaces[0])
		buf_printf(out, "%s -> ", s->replaces);
}

static void link_mtu(const struct plan_step *s, struct buf *out)
{
	buf_printf(out, "~ %s: mtu ", s->ifname);
	replaced(s, out);
	buf_printf(out, "%u", s->mtu);
}

static void link_mac(const struct plan_step *s, struct buf *out)
{
	char mac[MAC_STRLEN];

	buf_printf(out, "~ %s: MAC ", s->ifname);
	replaced(s, out);
	buf_puts(out, mac_format(&s->mac, mac));
}

static void link_alias(const struct plan_step *s, struct buf *out)
{
	buf_printf(out, "~ %s: alias %s", s->ifname, s->alias);
}

static void bridge_stp(const struct plan_step *s, struct buf *out)
{
	if (s->on)
		buf_printf(out, "~ %s: spanning tree on, forward delay %u s", s->ifname,
			   PLAN_FORWARD_DELAY / 100);
	else
		buf_printf(out, "~ %s: spanning tree and forward delay off", s->ifname);
}

static void bridge_ageing(const struct plan_step *s, struct buf *out)
{
	buf_printf(out, "~ %s: MAC ageing ", s->ifname);
	replaced(s, out);
	buf_printf(out, "%us", s->ageing_s);
}

static void port_root_guard(const struct plan_step *s, struct buf *out)
{
	buf_printf(out, "~ %s: root guard %s", s->ifname, s->on ? "on" : "off");
}

static void port_isolate(const struct plan_step *s, struct buf *out)
{
	buf_printf(out, "~ %s: %s", s->ifname, s->on ? "isolated" : "no longer isolated");
}

static void port_manage(const struct plan_step *s, struct buf *out)
{
	buf_printf(out, "~ %s: learning and flooding %s", s->ifname, s->on ? "off" : "on");
}

static void mac_line(const struct plan_step *s, struct buf *out, char sign)
{
	char mac[MAC_STRLEN];

	buf_printf(out, "%c MAC %s at %s", sign, mac_format(&s->mac, mac), s->ifname);
}

static void mac_del(const struct plan_step *s, struct buf *out)
{
	mac_line(s, out, '-');
}

static void mac_add(const struct plan_step *s, struct buf *out)
{
	mac_line(s, out, '+');
}

static void bridge_vlans(const struct plan_step *s, struct buf *out)
{
	buf_printf(out, "~ %s: VLAN filtering %s", s->ifname, s->on ? "on" : "off");
}

static void vlan_add(const struct plan_step *s, struct buf *out)
{
	buf_printf(out, "+ VLAN %u %s at %s", s->vid, s->on ? "untagged" : "tagged", s->ifname);
}

static void vlan_del(const struct plan_step *s, struct buf *out)
{
	buf_printf(out, "- VLAN %u at %s", s->vid, s->ifname);
}

static void tap_rate(const struct plan_step *s, struct buf *out)
{
	char rate[RATE_STRLEN];

	buf_printf(out, "~ %s: rate to the guest ", s->ifname);
	replaced(s, out);
	buf_puts(out, s->rate_down ? rate_format(s->rate_down, rate) : "unlimited");
}

static void addr_line(const struct plan_step *s, struct buf *out, char sign)
{
	char addr[IP4_PREFIX_STRLEN];

	buf_printf(out, "%c address %s on %s", sign, ip4_prefix_format(&s->addr, addr), s->ifname);
}

static void addr_del(const struct plan_step *s, struct buf *out)
{
	addr_line(s, out, '-');
}

static void addr_add(const struct plan_step *s, struct buf *out)
{
	addr_line(s, out, '+');
}

static void addr6_line(const struct plan_step *s, struct buf *out, char sign)
{
	char addr[IP6_PREFIX_STRLEN];

	buf_printf(out, "%c address %s on %s", sign, ip6_prefix_format(&s->addr6, addr), s->ifname);
}

static void addr6_del(const struct plan_step *s, struct buf *out)
{
	addr6_line(s, out, '-');
}

static void addr6_add(const struct plan_step *s, struct buf *out)
{
	addr6_line(s, out, '+');
}

/* As sysctl(8) writes names: dots for slashes, and the dot of "eth0.5" as a slash. */
static void sysctl_set(const struct plan_step *s, struct buf *out)
{
	char name[SYSCTL_PATH_MAX];
	size_t len = strnlen(s->sysctl.path, sizeof(name) - 1);

	for (size_t i = 0; i < len; i++) {
		char c = s->sysctl.path[i];

		name[i] = c == '/' ? '.' : c == '.' ? '/' : c;
	}
	name[len] = '\0';
	buf_printf(out, "~ %s: ", name);
	replaced(s, out);
	buf_puts(out, s->sysctl.value);
}

static void link_up(const struct plan_step *s, struct buf *out)
{
	buf_printf(out, "~ %s: up", s->ifname);
}

static void tap_create(const struct plan_step *s, struct buf *out)
{
	buf_printf(out, "+ tap %s", s->ifname);
	if (s->bridge[0])
		buf_printf(out, " on %s", s->bridge);
}

static void tap_enslave(const struct plan_step *s, struct buf *out)
{
	buf_printf(out, "~ %s: bridge ", s->ifname);
	replaced(s, out);
	buf_puts(out, s->bridge[0] ? s->bridge : "none");
}

/* struct step_words - how a kind of step is told. */
struct step_words {
	const char *op;
	void (*text)(const struct plan_step *s, struct buf *out);
};

static const struct step_words words[] = {
	[STEP_TAP_DELETE] = {"delete", tap_delete},
	[STEP_BRIDGE_DELETE] = {"delete", bridge_delete},
	[STEP_BRIDGE_CREATE] = {"create", bridge_create},
	[STEP_LINK_MTU] = {"change", link_mtu},
	[STEP_LINK_MAC] = {"change", link_mac},
	[STEP_LINK_ALIAS] = {"change", link_alias},
	[STEP_BRIDGE_STP] = {"change", bridge_stp},
	[STEP_BRIDGE_AGEING] = {"change", bridge_ageing},
	[STEP_PORT_ISOLATE] = {"change", port_isolate},
	[STEP_PORT_ROOT_GUARD] = {"change", port_root_guard},
	[STEP_PORT_MANAGE] = {"change", port_manage},
	[STEP_MAC_DEL] = {"delete", mac_del},
	[STEP_MAC_ADD] = {"create", mac_add},
	[STEP_BRIDGE_VLANS] = {"change", bridge_vlans},
	[STEP_VLAN_ADD] = {"create", vlan_add},
	[STEP_VLAN_DEL] = {"delete", vlan_del},
	[STEP_TAP_RATE] = {"change", tap_rate},
	[STEP_ADDR_DEL] = {"delete", addr_del},
	[STEP_ADDR_ADD] = {"create", addr_add},
	[STEP_SYSCTL_SET] = {"change", sysctl_set},
	[STEP_LINK_UP] = {"change", link_up},
	[STEP_ADDR6_DEL] = {"delete", addr6_del},
	[STEP_ADDR6_ADD] = {"create", addr6_add},
	[STEP_TAP_CREATE] = {"create", tap_create},
	[STEP_TAP_ENSLAVE] = {"change", tap_enslave},
};
static_assert(ARRAY_SIZE(words) == STEP_KIND_COUNT, "words for every kind of step");

void plan_step_text(const struct plan_step *s, struct buf *out)
{
	assert(s->kind < STEP_KIND_COUNT);
	words[s->kind].text(s, out);
}

const char *plan_step_op(const struct plan_step *s)
{
	assert(s->kind < STEP_KIND_COUNT);
	return words[s->kind].op;
}
