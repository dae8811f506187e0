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
 * - HUP checks the program at our path and the file, and executes it in our place (reload.c): new workers start, and
 *   when they consume the old ones drain.
 * - TTIN, TTOU: one worker more, one fewer.
 * - USR1, USR2: the log one level more talkative, one less (log_level).
 *
 * A reload of the file that changed nothing else keeps what TTIN and TTOU did: the number in the file counts when it is
 * another one than before.
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
#include "common/base/service_manager.h"
#include "common/conf_check.h"
#include "worker/agent.h"
#include "worker/agent_listen.h"
#include "worker/log_level.h"
#include "worker/reexec.h"
#include "worker/shared_older.h"
#include "worker/supervisor_parts.h"
#include "worker/worker.h"

enum {
    TICK_MS = 100,
    PAUSED_US = 1000000, /* longer than this between two looks: the supervisor was kept from running */
    CRASH_PAUSE_MIN_US = 250000,
    CRASH_PAUSE_MAX_US = 30000000,
    KILL_EXTRA_S = 10,
    READ_AGAIN_US = 1000000, /* a file that became unusable just before it was read */
    EXIT_BAD_CONFIGURATION = 78,
    EXIT_NO_HANDOVER = 70, /* EX_SOFTWARE of sysexits.h: a service manager starts us anew */
    EXIT_TIME_OVER = 75,   /* a worker's: it has drained for as long as it may */
    MEMORY_US = 1000000,   /* between two looks at its own */
    WORKERS_MAX = 256,
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
    if (role != SHARED_AGENT)
        agent_listen_close();
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
    if (role == SHARED_AGENT) {
        agent_listen_open(s->conf->agent_listen);
        agent_listen_wait(count_children(s, SHARED_AGENT, false) > 0);
    }
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
        LOG_NUM("slot", slot), LOG_NUM("generation", s->generation));
}

/* Start what is missing, as far as the throttles allow. */
static void fill_pool(struct supervisor *s)
{
    static const enum shared_role roles[] = {SHARED_AGENT, SHARED_WORKER};
    if (s->ending || s->superseding || !s->conf)
        return;
    for (size_t i = 0; i < 2; i++) {
        enum shared_role role = roles[i];
        long missing = (role == SHARED_AGENT ? 1 : s->wanted) - count_children(s, role, true);
        for (; missing > 0 && clock_mono_us() >= s->throttles[role].not_before_us; missing--)
            start_child(s, role);
    }
}

void supervisor_drain(struct child *c)
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
    s->ending = true;
    shared_presence()->ending = 1;
    s->kill_at_us = clock_mono_us() + (at_once ? 1000000LL : s->grace_us + KILL_EXTRA_S * 1000000LL);
    reload_forget(s);
    agent_listen_close();
    service_manager_tell("STOPPING=1\n");
    if (at_once)
        signal_children(s, SIGQUIT);
    for (int i = 0; i < CHILDREN_MAX; i++)
        supervisor_drain(&s->children[i]);
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
    bool blameless = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_RESOURCES;
    shared_older_gone(c->slot, !blameless);
    bool had_worked = c->role == SHARED_WORKER && shared_slot_at(c->slot)->has_worked;
    bool expected = c->asked_to_end || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
    uint64_t unwritten = shared_slot_at(c->slot)->unwritten;
    if (blameless)
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
    if (s->starting && !c->asked_to_end && c->role == SHARED_WORKER && c->generation != s->generation)
        LOG(LOG_ERROR, "not_replaced",
            LOG_TEXT("advice", "its program and settings are not there any more; see why no new worker "
                               "consumes and reaches the database, mend it, and send HUP"));
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
        bool counts = false;
        reload_reaped(s, pid, status);
        for (int i = 0; i < CHILDREN_MAX; i++) {
            struct child *c = &s->children[i];
            if (c->pid != pid)
                continue;
            note_death(s, c, status);
            c->pid = 0;
            counts = c->generation == s->generation && !s->starting; /* else the one before works on */
        }
        if (counts && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_BAD_CONFIGURATION && !s->ending) {
            s->status = EXIT_BAD_CONFIGURATION;
            start_ending(s, SIGTERM);
        }
    }
}

static void watch_pulses(struct supervisor *s)
{
    int64_t now = clock_mono_us(), limit = now - s->watchdog_us + TICK_MS * 1000LL;
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

/* The file has been read: what it says counts from here on. Takes CONF. */
void supervisor_use(struct supervisor *s, struct conf *conf)
{
    long configured = workers_wanted(conf);
    conf_free(s->conf);
    s->conf = conf;
    if (configured != s->configured)
        s->wanted = configured;
    s->configured = configured;
    s->watchdog_us = clock_us(conf->watchdog);
    s->grace_us = clock_us(conf->shutdown_grace);
    log_setup(conf->log_level, strcmp(conf->log_format, "json") == 0, "supervisor");
    log_limit_set(conf->log_burst, conf->log_interval);
    log_level_reset();
}

/* It was good when it was checked, and is not any more: until it is, the children go on, and none is replaced. */
static void read_again(struct supervisor *s)
{
    struct conf_errors errors;
    if (s->conf || s->ending || clock_mono_us() < s->read_again_us)
        return;
    s->read_again_us = clock_mono_us() + READ_AGAIN_US;
    struct conf *conf = conf_load_for_worker(s->file, &errors);
    conf_errors_free(&errors);
    if (!conf)
        return;
    supervisor_use(s, conf);
    s->reload_us = clock_mono_us();
    LOG(LOG_INFO, "configuration_good", LOG_NUM("workers", s->wanted));
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
        supervisor_drain(c);
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
        reload_ask(s);
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

static bool begin(struct supervisor *s, struct conf *conf, const struct handover *h,
                  struct shared_header *header)
{
    if (conf)
        log_setup(conf->log_level, strcmp(conf->log_format, "json") == 0, "supervisor");
    if (!h)
        shared_map();
    else if (!reload_go_on(s, h, header))
        return false;
    if (conf)
        supervisor_use(s, conf);
    if (!h) {
        LOG(LOG_INFO, "started", LOG_TEXT("version", NOTIFY_VERSION), LOG_NUM("workers", s->wanted));
        service_manager_tell("READY=1\n");
    }
    return true;
}

static void turn(struct supervisor *s)
{
    const struct timespec tick = {0, TICK_MS * 1000000L};
    fill_pool(s);
    int number = sigtimedwait(&s->signals, NULL, &tick);
    if (number > 0)
        take_signal(s, number);
    change_workers(s);
    shared_older_look();
    reap(s);
    log_tick();
    watch_pulses(s);
    note_memory(s);
    read_again(s);
    reload_turn(s);
    kill_the_late(s);
    supervisor_tell(s);
}

int supervisor_run(const char *file, struct conf *conf, const struct handover *handover,
                   struct shared_header *header)
{
    struct supervisor *s = mem_zalloc(sizeof *s);
    s->pid = getpid();
    s->file = file;
    take_signals_over(s);
    if (!begin(s, conf, handover, header)) {
        LOG(LOG_ERROR, "handover_refused", LOG_TEXT("why", "its children have no place in this build"));
        conf_free(conf);
        free(s);
        return EXIT_NO_HANDOVER;
    }
    do
        turn(s);
    while (!s->ending ||
           count_children(s, SHARED_WORKER, false) + count_children(s, SHARED_AGENT, false) > 0);
    int status = s->status;
    say_ended(status);
    conf_free(s->conf);
    free(s);
    return status;
}
