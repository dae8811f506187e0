/*
 * supervisor - forks the pool and keeps it whole
 *
 * Owns the children and the shared memory; no event loop, no connections, nothing that can hang. Sleeps in
 * sigtimedwait; every signal is blocked and taken there, so there are no handlers.
 *
 * - A child that dies is replaced at once if it had settled a message, else after a pause that doubles from
 *   CRASH_PAUSE_MIN to CRASH_PAUSE_MAX with each such death in a row.
 * - A child without pulse (no turn of its loop within `watchdog`) is killed, then as above; time in which the
 *   supervisor itself was paused (SIGSTOP, a frozen container) does not count.
 * - Exit status 78 ends everything: the configuration will not get better by itself.
 * - TERM, INT: the children drain; a second one, or QUIT, and they leave at once.
 * - HUP reads the file; new workers start with it, and when they consume the old ones drain. With an error in
 *   the file everything stays as it is; with settings by which no new worker comes to consume, the old ones go
 *   on beside them, until the next HUP, at which those that never came to consume drain.
 * - TTIN, TTOU: one worker more, one fewer.
 * - USR1, USR2: the log one level more talkative, one less (log_level).
 *
 * A child is asked to drain once, however many reasons there are. Children get SIGTERM from the kernel when
 * the supervisor dies (PR_SET_PDEATHSIG), so none is left over.
 */
#include "worker/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"
#include "common/base/process.h"
#include "common/conf_check.h"
#include "worker/agent.h"
#include "worker/log_level.h"
#include "worker/shared.h"
#include "worker/worker.h"

enum {
    CHILDREN_MAX = SHARED_SLOTS,
    TICK_MS = 100,
    PAUSED_US = 1000000, /* longer than this between two looks: the supervisor was kept from running */
    CRASH_PAUSE_MIN_US = 250000,
    CRASH_PAUSE_MAX_US = 30000000,
    KILL_EXTRA_S = 10,
    EXIT_BAD_CONFIGURATION = 78,
    EXIT_TIME_OVER = 75, /* a worker's: it has drained for as long as it may */
    MEMORY_US = 1000000, /* between two looks at its own */
    WORKERS_MAX = 256,
};

struct child {
    pid_t pid; /* 0: no child */
    int slot;
    enum shared_role role;
    unsigned generation;
    int64_t started_us;
    bool asked_to_end;
    bool killed_by_watchdog;
};

/* When the next child of a role may be started, after deaths before the first message. */
struct throttle {
    int deaths;
    int64_t not_before_us;
};

struct supervisor {
    pid_t pid;
    const char *file;
    struct conf *conf;
    unsigned generation; /* of the configuration */
    long wanted;         /* workers */
    struct child children[CHILDREN_MAX];
    struct throttle throttles[SHARED_AGENT + 1];
    bool ending;
    bool reloading; /* new workers have been started, the old ones drain when they consume */
    bool said_late; /* that they do not */
    int64_t reload_us;
    int64_t looked_us;      /* at the children's pulses */
    int64_t watch_since_us; /* silence before this tells nothing */
    int64_t kill_at_us;
    int64_t memory_us; /* when it looked at its own memory last */
    int status;
    sigset_t signals;
};

static const char *role_name(enum shared_role role)
{
    return role == SHARED_AGENT ? "agent" : "worker";
}

static long workers_wanted(const struct conf *conf)
{
    return conf->workers > 0 ? conf->workers : sysconf(_SC_NPROCESSORS_ONLN);
}

static long count_children(const struct supervisor *s, enum shared_role role, bool current_only)
{
    long n = 0;
    for (int i = 0; i < CHILDREN_MAX; i++) {
        const struct child *c = &s->children[i];
        if (c->pid && c->role == role &&
            (!current_only || (c->generation == s->generation && !c->asked_to_end)))
            n++;
    }
    return n;
}

static _Noreturn void be_child(struct supervisor *s, enum shared_role role, int slot)
{
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != s->pid)
        exit(0); /* it died before the line above */
    log_level_ignore_signals();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int status = role == SHARED_AGENT ? agent_run(s->conf, slot) : worker_run(s->conf, slot);
    conf_free(s->conf);
    exit(status);
}

static struct child *free_child(struct supervisor *s)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (!s->children[i].pid)
            return &s->children[i];
    return NULL;
}

static void start_child(struct supervisor *s, enum shared_role role)
{
    struct child *c = free_child(s);
    int slot = c ? shared_slot_claim(role) : -1;
    if (slot < 0) {
        LOG(LOG_ERROR, "no_room_for_child", LOG_TEXT("role", role_name(role)));
        return;
    }
    pid_t pid = fork();
    if (pid == 0)
        be_child(s, role, slot);
    if (pid < 0) {
        LOG(LOG_ERROR, "fork_failed", LOG_TEXT("why", strerror(errno)));
        shared_slot_release(slot);
        s->throttles[role].not_before_us = clock_mono_us() + CRASH_PAUSE_MIN_US;
        return;
    }
    *c = (struct child){
        .pid = pid,
        .slot = slot,
        .role = role,
        .generation = s->generation,
        .started_us = clock_mono_us(),
    };
    shared_slot_at(slot)->pid = pid;
    LOG(LOG_INFO, "child_started", LOG_TEXT("role", role_name(role)), LOG_NUM("child", pid),
        LOG_NUM("slot", slot));
}

/* Start what is missing, as far as the throttles allow. */
static void fill_pool(struct supervisor *s)
{
    static const enum shared_role roles[] = {SHARED_AGENT, SHARED_WORKER};
    if (s->ending)
        return;
    for (size_t i = 0; i < 2; i++) {
        enum shared_role role = roles[i];
        long missing = (role == SHARED_AGENT ? 1 : s->wanted) - count_children(s, role, true);
        for (; missing > 0 && clock_mono_us() >= s->throttles[role].not_before_us; missing--)
            start_child(s, role);
    }
}

static void drain_child(struct child *c)
{
    if (!c->pid || c->asked_to_end)
        return;
    c->asked_to_end = true;
    kill(c->pid, SIGTERM);
}

static void signal_children(struct supervisor *s, int number)
{
    for (int i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &s->children[i];
        if (!c->pid)
            continue;
        c->asked_to_end = true;
        kill(c->pid, number);
    }
}

static void start_ending(struct supervisor *s, int number)
{
    LOG(LOG_INFO, "ending",
        LOG_TEXT("signal", number == SIGQUIT  ? "QUIT"
                           : number == SIGINT ? "INT"
                                              : "TERM"));
    bool at_once = s->ending || number == SIGQUIT;
    double grace = at_once ? 1 : s->conf->shutdown_grace;
    s->ending = true;
    shared_presence()->ending = 1;
    s->kill_at_us = clock_mono_us() + clock_us(grace) + (at_once ? 0 : KILL_EXTRA_S * 1000000LL);
    if (at_once)
        signal_children(s, SIGQUIT);
    for (int i = 0; i < CHILDREN_MAX; i++)
        drain_child(&s->children[i]);
}

static enum end_cause cause_of(const struct child *c, int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (c->killed_by_watchdog)
        return END_WATCHDOG;
    if (code == EXIT_NO_RESOURCES)
        return END_MEMORY;
    if (code != 0 && code != EXIT_TIME_OVER)
        return END_CRASH;
    return c->asked_to_end ? END_ASKED : END_RECYCLED;
}

/* One line that says why, and what follows for the start of the next one. */
static void note_death(struct supervisor *s, const struct child *c, int status)
{
    if (!s->ending)
        shared_count_cell(c->role == SHARED_AGENT ? COUNT_AGENT_ENDS : COUNT_WORKER_ENDS,
                          cause_of(c, status));
    struct throttle *t = &s->throttles[c->role];
    bool had_worked = c->role == SHARED_WORKER && shared_slot_at(c->slot)->has_worked;
    bool expected = c->asked_to_end || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
    uint64_t unwritten = shared_slot_at(c->slot)->unwritten;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_RESOURCES)
        shared_slot_at(c->slot)->handling = 0; /* no message is to blame for the machine's lack of memory */
    int kills = shared_slot_release(c->slot);
    LOG(expected ? LOG_INFO : LOG_WARN, "child_ended", LOG_TEXT("role", role_name(c->role)),
        LOG_NUM("child", c->pid),
        LOG_TEXT("how", WIFSIGNALED(status)       ? strsignal(WTERMSIG(status))
                        : WEXITSTATUS(status) > 0 ? "exit status"
                                                  : "drained"),
        LOG_NUM("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0),
        LOG_TEXT("watchdog", c->killed_by_watchdog ? "yes" : "no"), LOG_NUM("message_killed", kills),
        LOG_NUM("unwritten", (double)unwritten));
    if (c->asked_to_end || had_worked) {
        t->deaths = 0;
        t->not_before_us = 0;
        return;
    }
    if (clock_mono_us() - c->started_us > CRASH_PAUSE_MAX_US)
        t->deaths = 0; /* it lived long enough to be no part of a loop */
    int64_t pause = (int64_t)CRASH_PAUSE_MIN_US << (t->deaths < 8 ? t->deaths : 8);
    t->deaths++;
    t->not_before_us = clock_mono_us() + (pause < CRASH_PAUSE_MAX_US ? pause : CRASH_PAUSE_MAX_US);
}

static void reap(struct supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (int i = 0; i < CHILDREN_MAX; i++) {
            struct child *c = &s->children[i];
            if (c->pid != pid)
                continue;
            note_death(s, c, status);
            c->pid = 0;
        }
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_BAD_CONFIGURATION && !s->ending) {
            s->status = EXIT_BAD_CONFIGURATION;
            start_ending(s, SIGTERM);
        }
    }
}

static void watch_pulses(struct supervisor *s)
{
    int64_t now = clock_mono_us(), limit = now - clock_us(s->conf->watchdog) + TICK_MS * 1000LL;
    if (now - s->looked_us > PAUSED_US)
        s->watch_since_us = now;
    s->looked_us = now;
    if (s->watch_since_us > limit)
        return;
    for (int i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &s->children[i];
        if (!c->pid || c->killed_by_watchdog || shared_slot_at(c->slot)->alive_us > limit)
            continue;
        LOG(LOG_ERROR, "child_hangs", LOG_TEXT("role", role_name(c->role)), LOG_NUM("child", c->pid));
        c->killed_by_watchdog = true;
        kill(c->pid, SIGKILL);
    }
}

/*
 * The new generation consumes, or a part of it does and the others had time enough to (the broker may refuse
 * so many connections at once): the old one may drain.
 */
static void finish_reload(struct supervisor *s)
{
    long consuming = 0;
    if (!s->reloading)
        return;
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (s->children[i].pid && s->children[i].role == SHARED_WORKER &&
            s->children[i].generation == s->generation)
            consuming += shared_slot_at(s->children[i].slot)->consuming;
    bool late = clock_mono_us() - s->reload_us > clock_us(s->conf->watchdog);
    if (late && consuming == 0 && !s->said_late) {
        LOG(LOG_ERROR, "reload_waits", LOG_TEXT("advice", "no new worker consumes; the old ones go on"));
        s->said_late = true;
    }
    if (consuming == 0 || (consuming < s->wanted && !late))
        return;
    s->reloading = false;
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (s->children[i].generation != s->generation)
            drain_child(&s->children[i]);
}

/* Those that were to take over and have not: who works goes on until the next generation consumes. */
static void drain_superseded(struct supervisor *s)
{
    if (!s->reloading)
        return;
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (s->children[i].generation == s->generation)
            drain_child(&s->children[i]);
}

static void reload(struct supervisor *s)
{
    struct conf_errors errors;
    if (s->ending)
        return;
    struct conf *conf = conf_load_for_worker(s->file, &errors);
    if (!conf) {
        for (size_t i = 0; i < errors.list.count; i++)
            LOG(LOG_ERROR, "reload_refused", LOG_TEXT("error", errors.list.items[i]));
        conf_errors_free(&errors);
        return;
    }
    conf_errors_free(&errors);
    conf_free(s->conf);
    s->conf = conf;
    s->wanted = workers_wanted(conf);
    drain_superseded(s); /* or they would pile up while the settings reach no broker */
    s->generation++;
    s->reloading = true;
    s->said_late = false;
    s->reload_us = clock_mono_us();
    memset(s->throttles, 0, sizeof s->throttles);
    log_setup(conf->log_level, strcmp(conf->log_format, "json") == 0, "supervisor");
    log_limit_set(conf->log_burst, conf->log_interval);
    log_level_reset();
    LOG(LOG_INFO, "reloading", LOG_NUM("generation", s->generation), LOG_NUM("workers", s->wanted));
}

/* One worker fewer: the youngest of this generation drains. */
static void remove_worker(struct supervisor *s)
{
    if (s->wanted <= 1)
        return;
    s->wanted--;
    for (int i = CHILDREN_MAX - 1; i >= 0; i--) {
        struct child *c = &s->children[i];
        if (!c->pid || c->role != SHARED_WORKER || c->generation != s->generation || c->asked_to_end)
            continue;
        drain_child(c);
        return;
    }
}

/* What Celery's tools have asked the agent for, as TTIN and TTOU do it. */
static void change_workers(struct supervisor *s)
{
    int change = presence_shared_take_change();
    for (; change > 0; change--)
        s->wanted += s->wanted < WORKERS_MAX;
    for (; change < 0; change++)
        remove_worker(s);
    shared_presence()->workers_wanted = (int)s->wanted;
}

static void take_signal(struct supervisor *s, int number)
{
    switch (number) {
    case SIGTERM:
    case SIGINT:
    case SIGQUIT:
        start_ending(s, number);
        break;
    case SIGHUP:
        reload(s);
        break;
    case SIGTTIN:
        s->wanted += s->wanted < WORKERS_MAX;
        break;
    case SIGTTOU:
        remove_worker(s);
        break;
    case SIGUSR1:
    case SIGUSR2:
        log_level_signal(number);
        break;
    default:
        break; /* SIGCHLD: reap is called in every turn */
    }
}

static void kill_the_late(struct supervisor *s)
{
    if (!s->ending || clock_mono_us() < s->kill_at_us)
        return;
    LOG(LOG_ERROR, "killing_the_late");
    signal_children(s, SIGKILL);
    s->kill_at_us = clock_mono_us() + 1000000;
}

static void note_memory(struct supervisor *s)
{
    int64_t now = clock_mono_us();
    if (now - s->memory_us < MEMORY_US)
        return;
    s->memory_us = now;
    shared_mine()->resident = process_resident();
}

/* What was done from start to end: after it nobody can ask for the figures any more. */
static void say_ended(int status)
{
    LOG(LOG_INFO, "ended", LOG_NUM("status", status), LOG_NUM("received", shared_sum_cells(FIGURE_RECEIVED)),
        LOG_NUM("settled", shared_sum(COUNT_SETTLED)), LOG_NUM("requeued", shared_sum(COUNT_REQUEUED)),
        LOG_NUM("rejected", shared_sum_cells(FIGURE_REJECTED)),
        LOG_NUM("delivered", shared_sum_cells(FIGURE_DELIVERED)),
        LOG_NUM("retried", shared_sum_cells(FIGURE_RETRIED)),
        LOG_NUM("deferred", shared_sum_cells(FIGURE_DEFERRED)),
        LOG_NUM("dead", shared_sum_cells(FIGURE_DEAD)),
        LOG_NUM("canceled", shared_sum_cells(FIGURE_CANCELED)));
}

static void take_signals_over(struct supervisor *s)
{
    static const int numbers[] = {SIGTERM, SIGINT,  SIGQUIT, SIGHUP, SIGTTIN,
                                  SIGTTOU, SIGUSR1, SIGUSR2, SIGCHLD};
    sigemptyset(&s->signals);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&s->signals, numbers[i]);
    sigprocmask(SIG_BLOCK, &s->signals, NULL);
}

int supervisor_run(const char *file, struct conf *conf)
{
    struct supervisor *s = mem_zalloc(sizeof *s);
    const struct timespec tick = {0, TICK_MS * 1000000L};
    s->pid = getpid();
    s->file = file;
    s->conf = conf;
    s->wanted = workers_wanted(conf);
    log_setup(conf->log_level, strcmp(conf->log_format, "json") == 0, "supervisor");
    log_limit_set(conf->log_burst, conf->log_interval);
    shared_map();
    take_signals_over(s);
    LOG(LOG_INFO, "started", LOG_TEXT("version", NOTIFY_VERSION), LOG_NUM("workers", s->wanted));
    do {
        fill_pool(s);
        int number = sigtimedwait(&s->signals, NULL, &tick);
        if (number > 0)
            take_signal(s, number);
        change_workers(s);
        reap(s);
        log_tick();
        watch_pulses(s);
        note_memory(s);
        finish_reload(s);
        kill_the_late(s);
    } while (!s->ending ||
             count_children(s, SHARED_WORKER, false) + count_children(s, SHARED_AGENT, false) > 0);
    int status = s->status;
    say_ended(status);
    conf_free(s->conf);
    free(s);
    return status;
}
