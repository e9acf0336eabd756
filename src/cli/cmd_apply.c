/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_apply.c - vmlane apply, diff and check. `check` with files asks no daemon: it reads them as
 * the daemon would (model/config.h), but without the host's routes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "api/client.h"
#include "cli/network.h"
#include "cli/output.h"
#include "cli/request.h"
#include "cli/takeover.h"
#include "cli/verb.h"
#include "model/config.h"

static enum out_color change_color(const char *op)
{
	if (op && strcmp(op, "create") == 0)
		return OUT_GREEN;
	return op && strcmp(op, "delete") == 0 ? OUT_RED : OUT_YELLOW;
}

static void print_changes(const struct cli *cli, const json_t *answer)
{
	const json_t *change;
	size_t i;

	json_array_foreach (json_object_get(answer, "changes"), i, change) {
		const char *text = out_str(change, "text");
		enum out_color c = change_color(out_str(change, "op"));

		printf("%s%s%s\n", out_color(cli->color, c), text ? text : "?",
		       out_color(cli->color, OUT_PLAIN));
	}
}

static size_t count_changes(const json_t *answer)
{
	return json_array_size(json_object_get(answer, "changes"));
}

static int run_apply(struct cli *cli, const struct verb_args *a)
{
	json_t *answer = NULL, *body = json_object();
	unsigned int confirm_s = 0;
	int r = takeover_time("apply", a->opt[1], &confirm_s);

	if (a->opt[0])
		json_object_set_new(body, "force", json_true());
	if (confirm_s)
		json_object_set_new(body, "confirm", json_integer(confirm_s));
	if (r != EXIT_OK) {
		json_decref(body);
		return r;
	}
	r = cli_call(cli, "POST", "/v1/apply", body, &answer);

	if (r == EXIT_OK && !cli_print_json(cli, answer)) {
		print_changes(cli, answer);
		if (count_changes(answer) == 0)
			printf("nothing to change\n");
		else
			printf("%zu change(s), %" PRId64 " write(s) to the kernel\n",
			       count_changes(answer), out_int(answer, "kernel_writes", 0));
	}
	json_decref(answer);
	return r == EXIT_OK ? takeover_await_all(cli) : r;
}

static int run_confirm(struct cli *cli, const struct verb_args *a)
{
	json_t *answer = NULL;
	int r = cli_call(cli, "POST", "/v1/confirm", json_object(), &answer);

	if (r == EXIT_OK && !cli_print_json(cli, answer)) {
		_cleanup_(buf_done) struct buf names = BUF_INIT(OUT_TEXT_MAX);

		out_cell_list(answer, "confirmed", &names);
		printf("confirmed: %s\n", buf_str(&names));
	}
	json_decref(answer);
	return r;
}

static int run_diff(struct cli *cli, const struct verb_args *a)
{
	json_t *answer = NULL;
	int r = cli_call(cli, "GET", "/v1/diff", NULL, &answer);

	if (r == EXIT_OK && !cli_print_json(cli, answer)) {
		print_changes(cli, answer);
		if (count_changes(answer) == 0)
			printf("nothing to change\n");
	}
	json_decref(answer);
	return r;
}

/* The whole of @fd into @out; -EFBIG past what a configuration file may hold. */
static int read_all(int fd, struct buf *out)
{
	char chunk[16384];
	ssize_t n;

	for (;;) {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		buf_append(out, chunk, (size_t)n);
		if (out->error)
			return out->error == -E2BIG ? -EFBIG : out->error;
	}
}

int config_file_read(const char *path, struct buf *out, struct err_list *errs)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	if (strcmp(path, "-") == 0) {
		r = read_all(STDIN_FILENO, out);
	} else {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		r = fd < 0 ? -errno : read_all(fd, out);
	}
	if (r == -EFBIG)
		return err_add(errs, r, "too-big", path,
			       "a configuration file may hold at most %d bytes", CONFIG_FILE_MAX);
	if (r < 0)
		return err_add(errs, r, "unreadable", path, "cannot be read: %s", strerror(-r));
	return 0;
}

/* Room for one more file in @set; it counts once set->n does. NULL when memory ran out. */
static struct config_file *set_reserve(struct config_set *set)
{
	struct config_file *files;

	files = reallocarray(set->files, set->n + 1, sizeof(*files));
	if (!files)
		return NULL;
	set->files = files;
	return &files[set->n];
}

/*
 * What is read from the standard input has no file name of its own; it is taken to have the one
 * it will need, so that the check of file names has nothing to say.
 */
static char *path_in_set(const char *path, const struct network_config *network)
{
	char *p = NULL;

	if (strcmp(path, "-") != 0 || !network)
		return strdup(path);
	return asprintf(&p, "stdin/%s.yaml", network->name) < 0 ? NULL : p;
}

static int check_file(const char *path, struct config_set *set, struct err_list *errs)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	struct config_file *file = set_reserve(set);
	int r;

	if (!file)
		return -ENOMEM;
	r = config_file_read(path, &text, errs);
	if (r < 0)
		return r;
	*file = (struct config_file){0};
	r = network_config_parse(strcmp(path, "-") == 0 ? "stdin" : path, buf_str(&text), text.len,
				 &file->network, errs);
	file->path = path_in_set(path, file->network);
	if (!file->path) {
		network_config_freep(&file->network);
		return -ENOMEM;
	}
	set->n++;
	return r;
}

static int is_config(const struct dirent *d)
{
	size_t len = strlen(d->d_name);

	return d->d_name[0] != '.' && len > 5 && strcmp(d->d_name + len - 5, ".yaml") == 0;
}

static int check_folder(const char *folder, struct config_set *set, struct err_list *errs)
{
	struct dirent **found;
	int n, r = 0;

	n = scandir(folder, &found, is_config, alphasort);
	if (n < 0)
		return err_add(errs, -errno, "unreadable", folder, "cannot be read: %s",
			       strerror(errno));
	for (int i = 0; i < n; i++) {
		_cleanup_(freep) char *path = NULL;
		int one = asprintf(&path, "%s/%s", folder, found[i]->d_name) < 0 ? -ENOMEM : 0;

		if (one == 0)
			one = check_file(path, set, errs);
		if (one < 0)
			r = one;
		free(found[i]);
	}
	free(found);
	return r;
}

static int check_path(const char *path, struct config_set *set, struct err_list *errs)
{
	struct stat st;

	if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return check_folder(path, set, errs);
	return check_file(path, set, errs);
}

static size_t count_networks(const struct config_set *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		if (set->files[i].network)
			n++;
	return n;
}

/* The errors as the API words them, for -o json. */
static json_t *errors_body(const struct err_list *errs)
{
	json_t *list = json_array(), *body;

	for (size_t i = 0; i < errs->n; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s}", "code", errs->items[i].code, "where",
					errs->items[i].where, "message", errs->items[i].message));
	body = json_copy(json_array_get(list, 0));
	json_object_set_new(body, "errors", list);
	return body;
}

static void print_check(const struct cli *cli, json_t *counts)
{
	if (!cli_print_json(cli, counts))
		printf("good: %" PRId64 " network(s) in %" PRId64 " file(s)\n",
		       out_int(counts, "networks", 0), out_int(counts, "files", 0));
	json_decref(counts);
}

/* The mistakes are the result that was asked for: with -o json they are printed as such. */
static int fail_check(const struct cli *cli, int r, const struct err_list *errs)
{
	json_t *body;

	if (!cli->json || errs->n == 0) {
		(void)cli_fail(r, errs);
		return EXIT_REFUSED; /* also for -EACCES of a file */
	}
	body = errors_body(errs);
	out_json(body);
	json_decref(body);
	return EXIT_REFUSED;
}

static int by_path(const void *a, const void *b)
{
	const struct config_file *one = a, *other = b;

	return strcmp(one->path, other->path);
}

static int check_local(struct cli *cli, const struct verb_args *a)
{
	struct config_set set = {0};
	struct err_list errs = {0};
	int r = 0, one;

	for (int i = 0; i < a->n; i++) {
		one = check_path(a->arg[i], &set, &errs);
		if (one < 0)
			r = one;
	}
	if (set.n > 1)
		qsort(set.files, set.n, sizeof(*set.files), by_path);
	one = config_set_validate(&set, NULL, 0, &errs);
	if (one < 0)
		r = one;
	if (r == 0)
		print_check(cli, json_pack("{s:I, s:I}", "files", (json_int_t)set.n, "networks",
					   (json_int_t)count_networks(&set)));
	config_set_done(&set);
	return r == 0 ? EXIT_OK : fail_check(cli, r, &errs);
}

static int run_check(struct cli *cli, const struct verb_args *a)
{
	struct err_list errs = {0};
	json_t *counts = NULL;
	int r;

	if (a->n > 0)
		return check_local(cli, a);
	r = api_call(cli->socket, "GET", "/v1/check", NULL, &counts, &errs);
	if (r < 0)
		return r == -EREMOTEIO ? fail_check(cli, r, &errs) : cli_fail(r, &errs);
	print_check(cli, counts);
	return EXIT_OK;
}

static const struct verb_opt apply_opts[] = {
	{"force", NULL,
	 "also what takes guests' networks, NICs from DHCP clients, ports from listeners"},
	{"confirm", "TIME", "take-overs: undo them unless 'vmlane confirm' comes in time"},
};

static const struct verb apply_verb = {
	"apply",
	"[--force] [--confirm TIME]",
	"make the kernel match the configuration",
	.more = "Only what differs is changed; 'vmlane diff' shows it beforehand.\n",
	.opts = apply_opts,
	.n_opts = ARRAY_SIZE(apply_opts),
	.run = run_apply,
};

static const struct verb confirm_verb = {
	"confirm",
	"",
	"keep what was changed with --confirm",
	.more = "Without it the NIC gets its addresses and routes back when the time is over.\n",
	.run = run_confirm,
};

static const struct verb diff_verb = {
	"diff",
	"",
	"what apply would change",
	.run = run_diff,
};

static const struct verb check_verb = {
	"check",
	"[FILE...]",
	"find the mistakes in configuration files",
	.more = "FILE is a network's file, a folder of *.yaml, or - for the standard input; they "
		"are\n"
		"read without the daemon. Without FILE the daemon checks its own configuration,\n"
		"also against the host's routes.\n",
	.max = VERB_ANY,
	.run = run_check,
};

const struct noun noun_apply = {"apply", "make the kernel match the configuration", &apply_verb, 1};
const struct noun noun_confirm = {"confirm", "keep what was changed with --confirm", &confirm_verb,
				  1};
const struct noun noun_diff = {"diff", "what apply would change", &diff_verb, 1};
const struct noun noun_check = {"check", "find the mistakes in configuration files", &check_verb,
				1};
