/* SPDX-License-Identifier: MIT
 *
 * Training the runs of a plan, some side by side. Each is a process of this program, whose stderr goes to train.log in
 * its folder. They have process groups of their own, so that a Ctrl-C on the terminal reaches them once, through us;
 * and where this process dies by whatever means, the system sends them SIGTERM, at which they save their state. */
#define _GNU_SOURCE /* environ */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/compare.h"
#include "cli/progress.h"
#include "cli/signals.h"

static const char LOG[] = "train.log";

enum job_state { WAITING, WORKING, DONE, FAILED };

struct job {
    const struct run *run;
    enum job_state state;
    pid_t process;
    uint64_t epochs_before; /* that it has had when it is begun here */
    off_t log_before;       /* bytes of the log that were there */
    double began;
};

struct jobs {
    struct job *job;
    size_t n, working, done;
    const struct arguments *arguments;
    const struct jobs_options *options;
    double began;
    struct progress progress;
    vae_error first; /* failure of a run */
    size_t failed;
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void file_of(const struct run *run, const char *name, char path[PATH_MAX_RUN])
{
    snprintf(path, PATH_MAX_RUN, "%.*s/%s", PATH_MAX_RUN - 64, run->path, name);
}

/* ---- What is there already -------------------------------------------------------------------------------------- */

static vae_status refuse_other(const struct run *run, const char *what, const char *is, const char *wanted,
                               vae_error *err)
{
    return vae_fail(err, VAE_E_EXISTS, "%s: holds a run with %s %.60s, not %.60s (another -o keeps it)", run->path,
                    what, is, wanted);
}

/* Is it the run that was planned? Only the number of its epochs may have grown. */
static vae_status check_settings(const struct run *run, const vae_model *model, vae_error *err)
{
    const vae_config *config = vae_model_config(model);
    const vae_setting *setting = differing_setting(config, &run->config, false);
    char is[VAE_MAX_SOURCE], wanted[VAE_MAX_SOURCE];
    if (setting)
        return refuse_other(run, setting->name, vae_config_text(config, setting, is, sizeof is),
                            vae_config_text(&run->config, setting, wanted, sizeof wanted), err);
    if (vae_model_metrics(model)->epoch <= run->config.epochs) return VAE_OK;
    return vae_fail(err, VAE_E_EXISTS, "%s: has had more than %llu epochs (another -o keeps it)", run->path,
                    (unsigned long long)run->config.epochs);
}

/* A model that cannot be read is left to `train --resume`, which says what is wrong with it. */
static vae_status look(struct job *job, vae_error *err)
{
    char path[PATH_MAX_RUN];
    vae_model *model = NULL;
    run_file(job->run->path, "model.safetensors", path);
    if (access(path, F_OK) || vae_model_load(&model, path, NULL)) return VAE_OK;
    vae_status status = check_settings(job->run, model, err);
    job->epochs_before = vae_model_metrics(model)->epoch;
    const char *data = vae_model_config(model)->data;
    const bool is_complete = run_is_complete(&job->run->config, vae_model_metrics(model));
    if (!status && is_complete && !run_is_own_data(job->run->config.data, data, job->run->path))
        status = refuse_other(job->run, "data", data, job->run->config.data, err);
    if (!status && is_complete) {
        job->state = DONE;
        job->epochs_before = job->run->config.epochs;
    }
    vae_model_free(&model);
    return status;
}

/* ---- Processes -------------------------------------------------------------------------------------------------- */

/* In the new process: it may not survive its parent, nor read from the terminal. The program is opened by the system's
 * name for it, which stays right when its file is replaced, and run by that descriptor, as valgrind can follow. */
static void become(const struct words *words, int log, pid_t parent, const sigset_t *mask)
{
    const int nothing = open("/dev/null", O_RDONLY), program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || nothing < 0 || dup2(nothing, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) _exit(1);
    signals_let_go();
    sigprocmask(SIG_SETMASK, mask, NULL);
    fexecve(program, words->word, environ);
    _exit(1);
}

/* No signal is handled between fork and exec: the child would swallow it. `mask`: the signals that are blocked in the
 * new process. */
static pid_t spawn(const struct words *words, int log, const sigset_t *mask)
{
    const pid_t parent = getpid();
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    const pid_t process = fork();
    if (process == 0) become(words, log, parent, mask);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return process;
}

static vae_status start(struct jobs *jobs, struct job *job, const sigset_t *mask, vae_error *err)
{
    char model[PATH_MAX_RUN], log[PATH_MAX_RUN];
    struct words words;
    run_file(job->run->path, "model.safetensors", model);
    file_of(job->run, LOG, log);
    vae_status status = plan_words(&words, job->run, jobs->arguments, !access(model, F_OK), jobs->options->threads,
                                   err);
    if (status) return status;
    int failed, fd;
    RETRY(failed, mkdir(job->run->path, 0777));
    if (failed && errno != EEXIST)
        return vae_fail(err, VAE_E_WRITE, "%s: cannot make folder: %s", job->run->path, strerror(errno));
    RETRY(fd, open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666));
    if (fd < 0) return vae_fail(err, VAE_E_WRITE, "%s: cannot write: %s", log, strerror(errno));
    job->log_before = lseek(fd, 0, SEEK_END);
    job->process = spawn(&words, fd, mask);
    if (job->process < 0) status = vae_fail(err, VAE_E_MEMORY, "cannot start a process: %s", strerror(errno));
    close(fd);
    if (status) return status;
    job->state = WORKING;
    job->began = progress_now();
    jobs->working++;
    return VAE_OK;
}

/* ---- What is said ----------------------------------------------------------------------------------------------- */

/* Epochs that a run has had, from its metrics.csv: a line each, below the header. */
static uint64_t epochs_of(const struct run *run)
{
    char path[PATH_MAX_RUN];
    struct stat info;
    file_of(run, "metrics.csv", path);
    FILE *file = !stat(path, &info) && S_ISREG(info.st_mode) ? fopen(path, "r") : NULL;
    uint64_t lines = 0;
    for (int c; file && (c = getc(file)) != EOF;) lines += c == '\n';
    if (file) fclose(file);
    return lines ? lines - 1 : 0;
}

static uint64_t epochs_had(const struct job *job)
{
    switch (job->state) {
    case WAITING: return job->epochs_before;
    case WORKING: return epochs_of(job->run);
    case DONE: return job->run->config.epochs; /* as if all, where patience ended it */
    case FAILED: break;
    }
    return 0;
}

/* Epochs of all runs but those that failed; the time left is that at the pace so far. */
static void show_progress(struct jobs *jobs)
{
    char work[64];
    struct progress_line line = {.work = work, .unit = "epochs", .seconds = progress_now() - jobs->began, .loss = NAN};
    if (!jobs->progress.shows) return;
    for (size_t i = 0; i < jobs->n; i++) {
        const struct job *job = &jobs->job[i];
        if (job->state == FAILED) continue;
        line.done += epochs_had(job);
        line.earlier += job->epochs_before;
        line.total += job->run->config.epochs;
    }
    snprintf(work, sizeof work, "%zu of %zu runs", jobs->done, jobs->n);
    if (line.total) progress_show(&jobs->progress, &line);
}

static void tell_done(const struct jobs *jobs, const struct job *job)
{
    if (!jobs->progress.shows && !jobs->options->quiet)
        fprintf(stderr, "%s: trained in %.1f s, %zu of %zu runs\n", base_name(job->run->path),
                progress_now() - job->began, jobs->done, jobs->n);
}

/* The last line that a run has added to its log, without what a terminal would obey. */
static void last_words(const struct job *job, char *line, size_t size)
{
    char path[PATH_MAX_RUN], text[512];
    file_of(job->run, LOG, path);
    FILE *file = fopen(path, "r");
    snprintf(line, size, "could not be started, or said nothing");
    if (file) fseeko(file, job->log_before, SEEK_SET);
    while (file && fgets(text, sizeof text, file)) snprintf(line, size, "%.300s", text);
    if (file) fclose(file);
    line[strcspn(line, "\n")] = '\0';
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127) *c = '?';
}

/* ---- The end of a process --------------------------------------------------------------------------------------- */

static void fail(struct jobs *jobs, struct job *job, vae_status status, const char *why)
{
    job->state = FAILED;
    if (!jobs->failed++) vae_fail(&jobs->first, status, "%s: %.300s", base_name(job->run->path), why);
    progress_clear(&jobs->progress);
    fprintf(stderr, "%s: failed: %s\n", base_name(job->run->path), why);
}

static void finish(struct jobs *jobs, struct job *job, int how)
{
    char why[400];
    jobs->working--;
    if (WIFEXITED(how) && WEXITSTATUS(how) == 0) {
        job->state = DONE;
        jobs->done++;
        tell_done(jobs, job);
        return;
    }
    if (signals_caught()) { /* it has saved its state */
        job->state = WAITING;
        return;
    }
    if (WIFSIGNALED(how)) {
        snprintf(why, sizeof why, "killed by signal %d", WTERMSIG(how));
        fail(jobs, job, VAE_E_INTERNAL, why);
        return;
    }
    last_words(job, why, sizeof why);
    fail(jobs, job, (vae_status)WEXITSTATUS(how), strncmp(why, "vaectl: ", 8) ? why : why + 8);
}

static void collect(struct jobs *jobs)
{
    int how;
    for (pid_t process; (process = waitpid(-1, &how, WNOHANG)) > 0;)
        for (size_t i = 0; i < jobs->n; i++)
            if (jobs->job[i].state == WORKING && jobs->job[i].process == process) finish(jobs, &jobs->job[i], how);
}

/* ---- All of them ------------------------------------------------------------------------------------------------ */

static void start_some(struct jobs *jobs, const sigset_t *mask)
{
    for (size_t i = 0; i < jobs->n && jobs->working < jobs->options->jobs && !signals_caught(); i++) {
        vae_error err;
        if (jobs->job[i].state == WAITING && start(jobs, &jobs->job[i], mask, &err))
            fail(jobs, &jobs->job[i], err.status, err.message);
    }
}

static void pass_signal_on(const struct jobs *jobs)
{
    for (size_t i = 0; i < jobs->n; i++)
        if (jobs->job[i].state == WORKING) kill(jobs->job[i].process, signals_caught());
}

/* Until none is at work. SIGCHLD is blocked, and so waits for sigtimedwait; other signals interrupt that, and are
 * passed on once. */
static void work(struct jobs *jobs)
{
    const struct timespec tick = {.tv_nsec = 200000000};
    sigset_t child, mask;
    bool passed_on = false;
    signal(SIGCHLD, SIG_DFL); /* whoever started us may have it ignored, and then there would be no exit statuses */
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &mask);
    for (start_some(jobs, &mask); jobs->working; start_some(jobs, &mask)) {
        show_progress(jobs);
        sigtimedwait(&child, NULL, &tick);
        if (signals_caught() && !passed_on) {
            pass_signal_on(jobs);
            passed_on = true;
        }
        collect(jobs);
    }
    progress_clear(&jobs->progress);
    sigprocmask(SIG_SETMASK, &mask, NULL);
}

static void conclude(const struct jobs *jobs, vae_error *failure)
{
    if (signals_caught()) {
        fprintf(stderr, "vaectl: interrupted: %zu of %zu runs are trained (the same command goes on)\n", jobs->done,
                jobs->n);
        signals_die();
    }
    if (jobs->failed)
        vae_fail(failure, jobs->first.status, "%zu of %zu runs failed, the first of them %.400s", jobs->failed, jobs->n,
                 jobs->first.message);
}

/* Keeps the runs that are trained. */
static void drop_others(struct runs *runs, const struct jobs *jobs)
{
    size_t kept = 0;
    for (size_t i = 0; i < jobs->n; i++)
        if (jobs->job[i].state == DONE) runs->run[kept++] = runs->run[i];
    runs->n = kept;
}

vae_status jobs_run(struct runs *runs, const struct arguments *arguments, const struct jobs_options *options,
                    vae_error *failure, vae_error *err)
{
    struct jobs jobs = {.job = calloc(runs->n, sizeof *jobs.job),
                        .n = runs->n,
                        .arguments = arguments,
                        .options = options,
                        .began = progress_now()};
    progress_begin(&jobs.progress, options->quiet);
    vae_status status = jobs.job ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
    for (size_t i = 0; i < runs->n && !status; i++) {
        jobs.job[i].run = &runs->run[i];
        status = look(&jobs.job[i], err);
        jobs.done += jobs.job[i].state == DONE;
    }
    signals_catch();
    if (!status) {
        work(&jobs);
        conclude(&jobs, failure);
        drop_others(runs, &jobs);
    }
    free(jobs.job);
    return signals_release(status);
}
