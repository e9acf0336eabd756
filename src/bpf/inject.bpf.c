// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inject.bpf.c - puts a frame into the host as if it had come in by a device, and takes it out again
 * before it leaves. Both know it by its mark. Next on the walk: path/inject.c.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 mark;
const volatile __u32 taken; /* the mark of a frame that is taken out, by which its drop is known */

__u32 target; /* ifindex that the next frame comes in by */

/* Run by BPF_PROG_TEST_RUN with the frame as its packet. */
SEC("tc")
int inject(struct __sk_buff *skb)
{
	skb->mark = mark;
	return bpf_clone_redirect(skb, target, BPF_F_INGRESS);
}

/* On the way out of a device. What is not ours goes on to whoever is behind us there. */
SEC("tc")
int swallow(struct __sk_buff *skb)
{
	if (skb->mark != mark)
		return -1; /* TCX_NEXT, TC_ACT_UNSPEC */
	skb->mark = taken;
	return TC_ACT_SHOT;
}
