/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_run.c - vmlane run: open a tap, become the VMM. The tap lives as long as the VM: nothing is
 * left to clean up, however it ends. What each VMM wants to be told is in vmm_args.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "api/client.h"
#include "base/addr.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/request.h"
#include "cli/verb.h"
#include "cli/vmm_args.h"
#include "kernel/tap.h"

enum {
	RUN_NETWORK,
	RUN_NAME,
	RUN_MAC,
	RUN_QUEUES,
	RUN_MODEL,
	RUN_COUNT,
};

static const struct verb_opt opts[] = {
	[RUN_NETWORK] = {"network", "NAME", "the network to plug it into"},
	[RUN_NAME] = {"name", "GUEST", "the guest's name"},
	[RUN_MAC] = {"mac", "MAC", "default: one derived from its name, always the same"},
	[RUN_QUEUES] = {"queues", "N", "queue pairs for multi-queue virtio-net; default: 1"},
	[RUN_MODEL] = {"model", "DEVICE", "QEMU's NIC; default: virtio-net-pci"},
};
_Static_assert(ARRAY_SIZE(opts) == RUN_COUNT, "an option without a row");

/**
 * struct run - one `vmlane run`
 * @args:	as typed; @args->arg is the VMM's command line
 * @queues:	--queues
 * @model:	--model
 * @fds:	the tap's descriptors, @n_fds
 * @guest:	the daemon's answer
 */
struct run {
	const struct verb_args *args;
	uint32_t queues;
	const char *model;
	int fds[TAP_QUEUES_MAX];
	size_t n_fds;
	json_t *guest;
};

static int check_usage(struct run *run)
{
	const char *const *opt = run->args->opt;
	struct mac m;
	int r;

	if (!opt[RUN_NETWORK] || !opt[RUN_NAME])
		return cli_usage_error("run", "--%s is missing",
				       opt[RUN_NETWORK] ? "name" : "network");
	r = cli_check_name("network", opt[RUN_NETWORK]);
	if (r == EXIT_OK)
		r = cli_check_name("guest", opt[RUN_NAME]);
	if (r != EXIT_OK)
		return r;
	if (opt[RUN_MAC] && mac_parse(opt[RUN_MAC], &m) < 0)
		return cli_usage_error("run", "--mac '%s' is not a MAC such as 52:54:00:12:34:56",
				       opt[RUN_MAC]);
	if (opt[RUN_QUEUES] && text_u32(opt[RUN_QUEUES], 1, TAP_QUEUES_MAX, &run->queues) < 0)
		return cli_usage_error("run", "--queues '%s' is not a number of 1 to %d",
				       opt[RUN_QUEUES], TAP_QUEUES_MAX);
	return EXIT_OK;
}

static int check_vmm(const struct run *run)
{
	const char *const *opt = run->args->opt;
	struct err_list errs = {0};
	struct err e;
	int r;

	r = vmm_args_check(run->args->arg, opt[RUN_NAME], opt[RUN_NETWORK], run->model, run->queues,
			   &e);
	if (r == 0)
		return EXIT_OK;
	err_list_push(&errs, &e);
	return cli_fail(r, &errs);
}

static int open_tap(struct cli *cli, struct run *run)
{
	const char *const *opt = run->args->opt;
	struct err_list errs = {0};
	char path[CLI_PATH_MAX];
	json_t *body;
	int r;

	/* This process becomes the VMM: its pid stays. */
	body = json_pack("{s:s, s:i}", "network", opt[RUN_NETWORK], "pid", (int)getpid());
	if (opt[RUN_MAC])
		json_object_set_new(body, "mac", json_string(opt[RUN_MAC]));
	if (run->queues > 1)
		json_object_set_new(body, "queues", json_integer(run->queues));
	snprintf(path, sizeof(path), "/v1/guests/%s/open", opt[RUN_NAME]);
	r = api_open(cli->socket, path, body, &run->guest, run->fds, ARRAY_SIZE(run->fds),
		     &run->n_fds, &errs);
	json_decref(body);
	return r < 0 ? cli_fail(r, &errs) : EXIT_OK;
}

/* The VMM inherits the descriptors. */
static int keep_across_exec(const struct run *run)
{
	for (size_t i = 0; i < run->n_fds; i++) {
		int flags = fcntl(run->fds[i], F_GETFD);

		if (flags < 0 || fcntl(run->fds[i], F_SETFD, flags & ~FD_CLOEXEC) < 0)
			return -errno;
	}
	return 0;
}

static int execute(const struct run *run)
{
	struct vmm_nic nic = {
		.guest = run->args->opt[RUN_NAME],
		.network = run->args->opt[RUN_NETWORK],
		.mac = out_str(run->guest, "mac"),
		.tap = out_str(run->guest, "tap"),
		.model = run->model,
		.fds = run->fds,
		.n_fds = run->n_fds,
	};
	struct err_list errs = {0};
	char **argv = NULL;
	int r;

	if (!nic.mac || !nic.tap || run->n_fds != run->queues) {
		err_add(&errs, -EPROTO, "answer", "",
			"the daemon's answer has %zu descriptors, %u are needed, or lacks the "
			"guest's mac or tap; are vmlane and vmlaned of one version?",
			run->n_fds, run->queues);
		return cli_fail(-EPROTO, &errs);
	}
	r = vmm_args_build(run->args->arg, &nic, &argv);
	if (r == 0)
		r = keep_across_exec(run);
	if (r == 0) {
		fflush(NULL);
		execvp(argv[0], argv);
		r = -errno;
		err_add(&errs, r, "exec", argv[0], "cannot be executed: %s", strerror(-r));
	}
	vmm_args_free(argv);
	(void)cli_fail(r, &errs);
	return EXIT_REFUSED; /* also for -EACCES of the program */
}

static int run_run(struct cli *cli, const struct verb_args *a)
{
	struct run run = {
		.args = a,
		.queues = 1,
		.model = a->opt[RUN_MODEL] ? a->opt[RUN_MODEL] : "virtio-net-pci",
	};
	int r;

	r = check_usage(&run);
	if (r == EXIT_OK)
		r = check_vmm(&run);
	if (r == EXIT_OK)
		r = open_tap(cli, &run);
	if (r == EXIT_OK)
		r = execute(&run);
	json_decref(run.guest);
	for (size_t i = 0; i < run.n_fds; i++)
		close(run.fds[i]);
	return r;
}

static const struct verb verb = {
	"run",
	"--network N --name G [OPTION...] -- VMM ARGS...",
	"start a virtual machine on a network",
	.more = "The tap is handed to the VMM as a descriptor and vanishes with the VM. QEMU,\n"
		"cloud-hypervisor and crosvm are given the arguments they need; for others put\n"
		"{fd} or {fds}, {mac} and {tap} where they belong; then nothing is added.\n\n"
		"Example:\n  vmlane run --network default --name web1 -- \\\n"
		"    qemu-system-x86_64 -enable-kvm -m 1G -drive file=web1.qcow2\n",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.min = 1,
	.max = VERB_ANY,
	.command = true,
	.run = run_run,
};

const struct noun noun_run = {"run", "start a virtual machine on a network", &verb, 1};
