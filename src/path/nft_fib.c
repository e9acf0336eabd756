/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_fib.c - see nft_fib.h. */
#include "path/nft_fib.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

/* struct nftfib - @fd: to rtnetlink */
struct nftfib {
	int fd;
	uint32_t seq;
};

/**
 * struct answer - a route
 * @dev:	asked for: whether one of its next hops leaves by it
 * @oif:	the (first) next hop's
 */
struct answer {
	uint32_t dev;
	uint32_t oif;
	bool uses_dev;
	uint8_t type;
	uint32_t table;
};

int nftfib_open(struct nftfib **ret, struct err *e)
{
	struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	struct nftfib *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_set(e, -ENOMEM, "kernel", "routes", "out of memory");
	f->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	r = f->fd < 0 || bind(f->fd, (struct sockaddr *)&any, sizeof(any)) < 0 ? -errno : 0;
	if (r) {
		nftfib_close(f);
		return err_set(e, r, "kernel", "routes", "the routes cannot be asked for: %s",
			       strerror(-r));
	}
	*ret = f;
	return 0;
}

void nftfib_close(struct nftfib *f)
{
	if (!f)
		return;
	fd_closep(&f->fd);
	free(f);
}

static void take_multipath(const struct nlattr *attr, struct answer *a)
{
	const struct rtnexthop *nh = mnl_attr_get_payload(attr);
	int left = mnl_attr_get_payload_len(attr);

	for (; RTNH_OK(nh, left); left -= RTNH_ALIGN(nh->rtnh_len), nh = RTNH_NEXT(nh)) {
		if (!a->oif)
			a->oif = (uint32_t)nh->rtnh_ifindex;
		if ((uint32_t)nh->rtnh_ifindex == a->dev)
			a->uses_dev = true;
	}
}

static int take_attr(const struct nlattr *attr, void *ctx)
{
	struct answer *a = ctx;

	switch (mnl_attr_get_type(attr)) {
	case RTA_OIF:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
			return MNL_CB_ERROR;
		a->oif = mnl_attr_get_u32(attr);
		a->uses_dev = a->uses_dev || a->oif == a->dev;
		break;
	case RTA_TABLE:
		if (mnl_attr_validate(attr, MNL_TYPE_U32) < 0)
			return MNL_CB_ERROR;
		a->table = mnl_attr_get_u32(attr);
		break;
	case RTA_MULTIPATH:
		take_multipath(attr, a);
		break;
	}
	return MNL_CB_OK;
}

static int take_route(const struct nlmsghdr *nlh, void *ctx)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct answer *a = ctx;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm))
		return MNL_CB_OK;
	a->type = rtm->rtm_type;
	a->table = rtm->rtm_table;
	return mnl_attr_parse(nlh, sizeof(*rtm), take_attr, a);
}

/* The kernel says of what it found no route to which errno that is. */
static bool is_answer(int r)
{
	return r == -ENETUNREACH || r == -EHOSTUNREACH || r == -EACCES || r == -EINVAL ||
	       r == -EAGAIN || r == -ENOENT;
}

static int exchange(struct nftfib *f, struct nlmsghdr *nlh, struct answer *a)
{
	uint64_t buf[1024];
	ssize_t len;

	nlh->nlmsg_seq = ++f->seq;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (send(f->fd, nlh, nlh->nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		int r;

		do
			len = recv(f->fd, buf, sizeof(buf), 0);
		while (len < 0 && errno == EINTR);
		if (len < 0)
			return -errno;
		r = mnl_cb_run(buf, (size_t)len, f->seq, 0, take_route, a);
		if (r == MNL_CB_ERROR)
			return -errno;
		if (r == MNL_CB_STOP)
			return 0;
	}
}

static bool is_zero(const struct in6_addr *a)
{
	return memcmp(a, &in6addr_any, sizeof(*a)) == 0;
}

/*
 * The route itself rather than what is made of it for sending (RTM_F_FIB_MATCH). A lookup for sending,
 * which is what the kernel's fib expression makes too, whatever interface rules name.
 */
static int look_up(struct nftfib *f, const struct nfteval_fib *q, uint32_t oif, struct answer *a)
{
	uint64_t buf[64];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm;
	uint16_t len = q->family == AF_INET ? 4 : 16;

	nlh->nlmsg_type = RTM_GETROUTE;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = (unsigned char)q->family;
	rtm->rtm_dst_len = (unsigned char)(8 * len);
	rtm->rtm_tos = q->family == AF_INET ? q->tos & 0xfc : 0;
	rtm->rtm_flags = RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE;
	mnl_attr_put(nlh, RTA_DST, len, &q->dst);
	if (q->family == AF_INET6 && !is_zero(&q->src)) {
		rtm->rtm_src_len = (unsigned char)(8 * len);
		mnl_attr_put(nlh, RTA_SRC, len, &q->src);
	}
	if (q->mark)
		mnl_attr_put_u32(nlh, RTA_MARK, q->mark);
	if (oif)
		mnl_attr_put_u32(nlh, RTA_OIF, oif);
	a->dev = q->dev;
	return exchange(f, nlh, a);
}

static bool is_linklocal(const struct nfteval_fib *q)
{
	return q->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&q->dst);
}

/*
 * The kernel answers for an address of the host itself with type local, for which the fib expression
 * finds no interface.
 */
static int ask_route(void *ctx, const struct nfteval_fib *q, uint32_t *ret)
{
	struct answer a = {0};
	int r = look_up(ctx, q, is_linklocal(q) ? q->dev : 0, &a);

	if (r && !is_answer(r))
		return r;
	if (r || a.type == RTN_LOCAL || a.type == RTN_ANYCAST || a.type == RTN_BLACKHOLE ||
	    a.type == RTN_UNREACHABLE || a.type == RTN_PROHIBIT || a.type == RTN_THROW)
		*ret = 0;
	else
		*ret = !q->dev ? a.oif : a.uses_dev ? q->dev : 0;
	return 0;
}

/* What no table has to be asked for. */
static bool type_by_itself(const struct nfteval_fib *q, uint32_t *ret)
{
	const uint8_t *b = q->dst.s6_addr;

	if (q->family != AF_INET)
		return false;
	if (b[0] == 0 || (b[0] == 255 && b[1] == 255 && b[2] == 255 && b[3] == 255)) {
		*ret = RTN_BROADCAST;
		return true;
	}
	if (b[0] >= 224 && b[0] < 240) {
		*ret = RTN_MULTICAST;
		return true;
	}
	return false;
}

/*
 * As long as nobody has made a policy rule, the kernel keeps the tables local and main in one and calls
 * both main: so it does with the loopback's address then. 1, 0, or -errno.
 */
static int tables_are_one(struct nftfib *f)
{
	struct nfteval_fib q = {.family = AF_INET, .dst.s6_addr = {127, 0, 0, 1}};
	struct answer a = {0};
	int r = look_up(f, &q, 0, &a);

	if (r || a.type != RTN_LOCAL)
		return r ? r : -ENODATA;
	return a.table == RT_TABLE_MAIN;
}

/* IPv4: only the local table tells types; what is in no table of that kind is unicast. */
static int type4(struct nftfib *f, const struct answer *a, bool found, uint32_t dev, uint32_t *ret)
{
	int one = 0;

	*ret = RTN_UNICAST;
	if (!found || (dev && !a->uses_dev) ||
	    (a->type != RTN_LOCAL && a->type != RTN_BROADCAST && a->type != RTN_ANYCAST))
		return 0;
	if (a->table == RT_TABLE_MAIN)
		one = tables_are_one(f);
	if (a->table == RT_TABLE_LOCAL || one > 0)
		*ret = a->type;
	return one < 0 ? one : 0;
}

static uint32_t type6(const struct nfteval_fib *q, const struct answer *a, int r)
{
	if (r == -EACCES || a->type == RTN_PROHIBIT)
		return RTN_PROHIBIT;
	if (r == -EINVAL || a->type == RTN_BLACKHOLE)
		return RTN_BLACKHOLE;
	if (r || a->type == RTN_UNREACHABLE)
		return RTN_UNREACHABLE;
	if (a->type == RTN_ANYCAST)
		return RTN_ANYCAST;
	if (a->type == RTN_LOCAL && (!q->dev || a->uses_dev))
		return RTN_LOCAL;
	return IN6_IS_ADDR_MULTICAST(&q->dst) ? RTN_MULTICAST : RTN_UNICAST;
}

static int ask_type(void *ctx, const struct nfteval_fib *q, uint32_t *ret)
{
	struct answer a = {0};
	int r;

	if (type_by_itself(q, ret))
		return 0;
	r = look_up(ctx, q, is_linklocal(q) ? q->dev : 0, &a);
	if (r && !is_answer(r))
		return r;
	if (q->family == AF_INET)
		return type4(ctx, &a, r == 0, q->dev, ret);
	*ret = type6(q, &a, r);
	return 0;
}

static int ask_name(void *ctx, uint32_t index, char ret[16])
{
	char name[IF_NAMESIZE];

	if (!if_indextoname(index, name))
		return -errno;
	memset(ret, 0, 16);
	memcpy(ret, name, size_min(strlen(name), 15));
	return 0;
}

struct nfteval_asked nftfib_asked(struct nftfib *f)
{
	return (struct nfteval_asked){
		.route = ask_route, .type = ask_type, .name = ask_name, .ctx = f};
}
