/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* environ */
#include <cblas.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/json.h"

const struct command *const commands[] = {
    &command_train,
    &command_fit,
    &command_eval,
    &command_compare,
    &command_report,
    &command_reconstruct,
    &command_sample,
    &command_traverse,
    &command_interpolate,
    &command_plot,
    &command_encode,
    &command_decode,
    &command_data,
    &command_info,
    &command_check,
    &command_priors,
    &command_bench,
    &command_completion,
    NULL,
};

/* In their order. */
static const struct {
    enum command_group group;
    const char *heading;
} groups[COMMAND_GROUPS] = {{TRAIN, "Train"},
                            {MEASURE, "Measure"},
                            {DRAW, "Draw"},
                            {EXCHANGE, "Exchange with other programs"},
                            {INSPECT, "Inspect"}};

static void print_usage(FILE *out)
{
    fprintf(out, "Usage: vaectl COMMAND [flags] [RUN]\n\n"
                 "Trains variational autoencoders with pluggable latent priors.\n");
    for (size_t g = 0; g < COMMAND_GROUPS; g++) {
        fprintf(out, "\n%s:\n", groups[g].heading);
        for (size_t i = 0; commands[i]; i++)
            if (commands[i]->group == groups[g].group) help_item(out, commands[i]->name, commands[i]->summary);
    }
    fprintf(out, "\nExamples:\n"
                 "  vaectl train --prior spikeslab --p 0.8 --c2 0.05\n\n"
                 "  vaectl reconstruct && vaectl sample && vaectl traverse\n\n"
                 "'vaectl COMMAND --help' tells more, 'vaectl --version' which libraries it has.\n");
}

static void print_exit_statuses(FILE *out)
{
    fprintf(out, "\nExit status:\n");
#define PRINT_STATUS(name, number, meaning) fprintf(out, "  %d  %s\n", number, meaning);
    VAE_STATUS_LIST(PRINT_STATUS)
#undef PRINT_STATUS
    fprintf(out, "  129, 130, 143  stopped by SIGHUP, SIGINT or SIGTERM; training saves its state\n"
                 "                 first\n");
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (!strcmp(commands[i]->name, name)) return commands[i];
    return NULL;
}

static vae_status unknown_command(const char *word, vae_error *err)
{
    if (*word == '-')
        return vae_fail(err, VAE_E_USAGE, "unknown flag %s before a command (expected --help, --version or a command)",
                        word);
    const char *names[sizeof commands / sizeof *commands] = {NULL};
    char list[256] = "";
    for (size_t i = 0; commands[i]; i++) {
        names[i] = commands[i]->name;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = vae_nearest(word, names);
    return vae_fail(err, VAE_E_USAGE, "unknown command '%s' (%s%s%sthere are: %s)", word, near ? "did you mean '" : "",
                    near ? near : "", near ? "'? " : "", list);
}

static vae_status run_command(int argc, char **argv, vae_error *err)
{
    const struct command *command = find_command(argv[0]);
    struct arguments arguments;
    if (!command) return unknown_command(argv[0], err);
    vae_status status = arguments_parse(&arguments, command, argc, argv, err);
    if (status) return status;
    if (argument(&arguments, "help")) {
        help_command(stdout, command);
        return VAE_OK;
    }
    return command->run(&arguments, err);
}

/* 'vaectl', '--help', '--version'; false where the word is for run_command. */
static bool run_global(int argc, char **argv, int *exit_status)
{
    char build[256];
    *exit_status = argc < 2 ? VAE_E_USAGE : VAE_OK;
    if (argc < 2) {
        print_usage(stderr);
    } else if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || (!strcmp(argv[1], "help") && argc == 2)) {
        print_usage(stdout);
        print_exit_statuses(stdout);
    } else if (!strcmp(argv[1], "--version")) {
        printf("vaectl %s\n%s\n", VAE_VERSION, vae_build(build, sizeof build));
    } else {
        return false;
    }
    return true;
}

/* Files must not be opened under the numbers of stdin, stdout and stderr where these are closed: what is printed would
 * go into them. Writing to a stdout that was closed is an error, to stderr it is not. */
static void open_closed_streams(void)
{
    for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++)
        if (fcntl(file, F_GETFD) < 0) (void)!open("/dev/null", file == STDOUT_FILENO ? O_RDONLY : O_RDWR);
}

/* Results that did not reach stdout are a failure: the disk behind it may be full. */
static vae_status close_stdout(vae_error *err)
{
    if (!fflush(stdout) && !ferror(stdout)) return VAE_OK;
    return vae_fail(err, VAE_E_WRITE, "stdout: cannot write: %s", strerror(errno));
}

/* A reader of a pipe that has seen enough, such as head, is no fault, and nothing is said of it. */
static volatile sig_atomic_t pipe_closed;

static void on_closed_pipe(int number)
{
    (void)number;
    pipe_closed = 1;
}

/* OpenBLAS asks this function of its own, when it is loaded, for how many threads it is to start; the program's is
 * found first. The pool has the threads here. Those of OpenBLAS would cost time at each start, and where the address
 * space is small they ask for memory again and again for ever, and the process cannot end. */
__attribute__((visibility("default"))) int openblas_num_threads_env(void);
int openblas_num_threads_env(void) { return 1; }

/* The name, in OPENBLAS_CORETYPE, of the products that suit this processor; NULL: those of any. */
static const char *find_core(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
    return NULL;
}

/* OpenBLAS knows processors by their numbers. One that is newer than itself it takes for the oldest, a Prescott of
 * 2004, whose products need more than twice the time. It can be told better only before it is loaded, so the program
 * starts once more. Where that cannot be done it goes on as it is: without /proc, where its file may not be read, or
 * where it was started as a word of the loader (ld.so vaectl), which then has no other loader at AT_BASE. */
static vae_status correct_core(char **argv, vae_error *err)
{
    static const char variable[] = "OPENBLAS_CORETYPE";
    const char *core = find_core();
    if (!core || strcmp(openblas_get_corename(), "Prescott") || getenv(variable) || !getauxval(AT_BASE)) return VAE_OK;
    if (setenv(variable, core, 1)) return vae_fail(err, VAE_E_MEMORY, "out of memory");
    const int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (program < 0) return VAE_OK;
    fexecve(program, argv, environ);
    const bool is_out = errno == ENOMEM;
    close(program);
    return is_out ? vae_fail(err, VAE_E_MEMORY, "out of memory") : VAE_OK;
}

/* For ps and killall: Linux before 6.14 names a program that is run by its descriptor after the number of that. */
static void name_process(const char *path)
{
    const char *slash = strrchr(path, '/');
    prctl(PR_SET_NAME, slash ? slash + 1 : path);
}

int main(int argc, char **argv)
{
    vae_error err = {0};
    int exit_status = 0;
    open_closed_streams();
    signal(SIGPIPE, on_closed_pipe); /* a closed pipe and a file size limit are write errors, exit status 4 */
    signal(SIGXFSZ, SIG_IGN);
    if (argc > 0) name_process(argv[0]);
    unsetenv("POSIXLY_CORRECT"); /* it ends the flags at the first word that is none */
    json_begin();
    vae_status status = correct_core(argv, &err);
    if (!status && !run_global(argc, argv, &exit_status)) {
        if (!strcmp(argv[1], "help")) { /* 'help train' is 'train --help' */
            static char help[] = "--help";
            argv[1] = argv[2];
            argv[2] = help;
            argc = 3;
        }
        status = run_command(argc - 1, argv + 1, &err);
    }
    vae_status flushed = close_stdout(status ? NULL : &err);
    const bool is_unread = !status && flushed && pipe_closed;
    if (!status) status = flushed;
    if (!status) return exit_status;
    if (!is_unread) fprintf(stderr, "vaectl: %s\n", err.message);
    return (int)status;
}
