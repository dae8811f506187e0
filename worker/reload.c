/*
 * reload - what a HUP leads to: the supervisor executes the program at its path in its own place
 *
 * Owns the steps of a reload (enum reload_step) and the question of who works, of at most two generations:
 *
 *   one generation  - HUP: check, execute, start the next →
 *   starting        - the new one is there and does not consume yet; the old one works →
 *   draining        - it consumes, the old one has been asked to end → one generation
 *
 * - Whatever speaks against program or file changes nothing: the check is a child (binary_check), the execution either
 *   happens or comes back, and the program is compared with the one that was checked.
 * - It is executed only while one generation lives. So there are never three, whatever comes when: a HUP that comes
 *   in between waits, and many are one.
 * - A generation that is starting may never come to consume, and then the old one never goes. So after
 *   `reload_patience` a HUP that waits replaces it: it drains (there is nothing in its hand), and when it is gone the
 *   next one starts beside the old one, which has worked all the time.
 *
 * What is handed over is text (handover) and two descriptors; the memory stays as it is where the layout is the same
 * (shared_take), and is looked after by shared_older where it is not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/service_manager.h"
#include "worker/agent_listen.h"
#include "worker/kept_settings.h"
#include "worker/reexec.h"
#include "worker/shared_older.h"
#include "worker/supervisor_parts.h"

enum { SAY_LATE_US = 60 * 1000000 };

static bool old_ones_live(const struct supervisor *s)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (s->children[i].pid && s->children[i].generation != s->generation)
            return true;
    return false;
}

static long count_living(const struct supervisor *s)
{
    long n = 0;
    for (int i = 0; i < CHILDREN_MAX; i++)
        n += s->children[i].pid != 0;
    return n;
}

/* The old workers have the database, or some of them. */
static bool old_ones_have_database(const struct supervisor *s)
{
    for (int i = 0; i < CHILDREN_MAX; i++) {
        const struct child *c = &s->children[i];
        if (c->pid && c->role == SHARED_WORKER && c->generation != s->generation &&
            shared_slot_at(c->slot)->database_up)
            return true;
    }
    return false;
}

/*
 * How many of this generation do the work: they consume, and reach the database unless nobody does. A file with a wrong
 * `database.url` would else end those who have the right one.
 */
static long count_working(const struct supervisor *s)
{
    long n = 0;
    bool with_database = old_ones_have_database(s);
    for (int i = 0; i < CHILDREN_MAX; i++) {
        const struct child *c = &s->children[i];
        if (c->pid && c->role == SHARED_WORKER && c->generation == s->generation && !c->asked_to_end)
            n += shared_slot_at(c->slot)->consuming &&
                 (!with_database || shared_slot_at(c->slot)->database_up);
    }
    return n;
}

/* ---- the state ---- */

/* While a generation starts in a memory of its own, it is none that would be handed over: it would be gone by then. */
static void describe_children(const struct supervisor *s, struct handover *h)
{
    h->children = mem_calloc(CHILDREN_MAX, sizeof *h->children);
    for (int i = 0; i < CHILDREN_MAX; i++) {
        const struct child *c = &s->children[i];
        int slot = c->pid ? shared_older_home(c->slot) : -1;
        if (slot < 0)
            continue;
        h->children[h->child_count++] = (struct handover_child){
            .pid = c->pid,
            .slot = slot,
            .role = (int)c->role,
            .generation = c->generation,
            .started_us = c->started_us,
            .asked_to_end = c->asked_to_end,
            .killed_by_watchdog = c->killed_by_watchdog,
        };
    }
}

static void describe(const struct supervisor *s, struct handover *h)
{
    *h = (struct handover){
        .pid = s->pid,
        .memory = shared_older_descriptor() >= 0 ? shared_older_descriptor() : shared_descriptor(),
        .listen = agent_listen_descriptor(),
        .generation = s->generation,
        .wanted = s->wanted,
        .configured = s->configured,
        .watchdog_us = s->watchdog_us,
        .grace_us = s->grace_us,
        .again = s->again,
        .log_json = s->conf && strcmp(s->conf->log_format, "json") == 0,
    };
    snprintf(h->log_level, sizeof h->log_level, "%s", s->conf ? s->conf->log_level : "info");
    snprintf(h->path, sizeof h->path, "%s", reexec_path());
    snprintf(h->listen_at, sizeof h->listen_at, "%s", agent_listen_at());
    describe_children(s, h);
}

/* The descriptor of the state as it is now, or -1. While a generation starts, it is not what the next one will get. */
static int write_state(const struct supervisor *s, struct handover *h)
{
    struct buf text;
    buf_init(&text, HANDOVER_SIZE);
    describe(s, h);
    handover_write_head(&text, h);
    shared_older_figures(&text);
    kept_settings_write(&text);
    handover_write_end(&text);
    int fd = text.overflow ? -1 : reexec_state(text.data, text.len);
    buf_free(&text);
    return fd;
}

/* ---- the next generation ---- */

static void end_reload(struct supervisor *s)
{
    binary_check_end(s->check);
    s->check = NULL;
    s->superseding = false;
    s->step = s->again ? RELOAD_WANTED : RELOAD_NONE;
    s->again = false;
    if (s->step == RELOAD_NONE)
        service_manager_tell("READY=1\n");
}

/* Nothing stands in the way, or only a generation that has had time enough. */
static bool may_begin(const struct supervisor *s)
{
    if (!old_ones_live(s))
        return true;
    return s->starting && count_working(s) == 0 &&
           clock_mono_us() - s->reload_us >= clock_us(s->conf->reload_patience);
}

static void begin_check(struct supervisor *s)
{
    struct handover h;
    if (!s->conf || !may_begin(s))
        return;
    service_manager_tell("RELOADING=1\nMONOTONIC_USEC=%lld\n", (long long)clock_mono_us());
    int state = write_state(s, &h);
    if (stat(reexec_path(), &s->checked) != 0)
        memset(&s->checked, 0, sizeof s->checked); /* the check says what is wrong with it */
    if (state >= 0)
        s->check = binary_check_start(reexec_path(), reexec_name(), s->file, state, h.memory,
                                      clock_us(s->conf->reload_timeout));
    handover_free(&h);
    if (state >= 0)
        close(state);
    s->step = RELOAD_CHECKING;
    if (!s->check)
        end_reload(s);
}

/* The file at our path is the one that was checked. */
static bool is_the_checked_one(const struct supervisor *s)
{
    struct stat st;
    return stat(reexec_path(), &st) == 0 && st.st_dev == s->checked.st_dev &&
           st.st_ino == s->checked.st_ino && st.st_size == s->checked.st_size &&
           st.st_mtim.tv_sec == s->checked.st_mtim.tv_sec &&
           st.st_mtim.tv_nsec == s->checked.st_mtim.tv_nsec && st.st_mode == s->checked.st_mode;
}

static void supersede(struct supervisor *s)
{
    if (!s->superseding)
        LOG(LOG_WARN, "reload_superseded", LOG_NUM("generation", s->generation),
            LOG_TEXT("advice", "it never consumed; the next one takes its place"));
    s->superseding = true;
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (s->children[i].generation == s->generation)
            supervisor_drain(&s->children[i]);
}

static bool this_one_lives(const struct supervisor *s)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (s->children[i].pid && s->children[i].generation == s->generation)
            return true;
    return false;
}

static void execute(struct supervisor *s)
{
    struct handover h;
    if (!is_the_checked_one(s)) {
        LOG(LOG_WARN, "reload_again", LOG_TEXT("why", "the program was replaced while it was checked"));
        s->again = true;
        end_reload(s);
        return;
    }
    int state = write_state(s, &h);
    int failed = state < 0 ? -errno : -EPROTO;
    if (state >= 0 &&
        (long)h.child_count == count_living(s)) /* one that is not handed over would be nobody's */
        failed = reexec_go(state, &h);
    LOG(LOG_ERROR, "reload_refused", LOG_TEXT("error", strerror(-failed)), LOG_TEXT("program", reexec_path()),
        LOG_TEXT("advice", "it could not be executed; nothing was changed"));
    handover_free(&h);
    if (state >= 0)
        close(state);
    end_reload(s);
}

/* With two generations, one has to go first. */
static void go_over(struct supervisor *s)
{
    if (!old_ones_live(s) || (s->superseding && !this_one_lives(s)))
        execute(s);
    else if (s->superseding || (s->starting && count_working(s) == 0))
        supersede(s);
}

/* There is one agent for the host, and the new one does its work: the old one may leave before the workers. */
static void relieve_agent(struct supervisor *s)
{
    bool works = false;
    for (int i = 0; i < CHILDREN_MAX; i++) {
        const struct child *c = &s->children[i];
        works |= c->pid && c->role == SHARED_AGENT && c->generation == s->generation && !c->asked_to_end &&
                 shared_slot_at(c->slot)->has_worked;
    }
    for (int i = 0; works && i < CHILDREN_MAX; i++)
        if (s->children[i].role == SHARED_AGENT && s->children[i].generation != s->generation)
            supervisor_drain(&s->children[i]);
}

static long count_old_workers(const struct supervisor *s)
{
    long n = 0;
    for (int i = 0; i < CHILDREN_MAX; i++)
        n += s->children[i].pid && s->children[i].role == SHARED_WORKER &&
             s->children[i].generation != s->generation;
    return n;
}

static void say_late(struct supervisor *s)
{
    int64_t now = clock_mono_us();
    if (now < s->say_late_us)
        return;
    if (!s->say_late_us)
        service_manager_tell("READY=1\n");
    s->say_late_us = now + SAY_LATE_US;
    LOG(LOG_ERROR, "reload_waits", LOG_NUM("old_workers", count_old_workers(s)),
        LOG_TEXT(
            "advice",
            "no new worker consumes and reaches the database; those of before go on and are not replaced"));
}

/*
 * The new generation works, or a part of it does and the others had time enough to (the broker may refuse
 * so many connections at once): the old one may drain. Until then it is all there is, so it does not recycle its workers.
 */
static void finish_start(struct supervisor *s)
{
    shared_keep_workers(s->starting);
    shared_older_keep_workers(s->starting);
    if (!s->starting || s->superseding)
        return;
    relieve_agent(s);
    long working = count_working(s);
    bool late = clock_mono_us() - s->reload_us > s->watchdog_us;
    if (late && working == 0)
        say_late(s);
    if (working == 0 || (working < s->wanted && !late))
        return;
    s->starting = false;
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (s->children[i].generation != s->generation)
            supervisor_drain(&s->children[i]);
    if (s->step == RELOAD_NONE)
        service_manager_tell("READY=1\n");
}

void reload_ask(struct supervisor *s)
{
    if (s->ending)
        return;
    if (s->step == RELOAD_NONE) {
        s->step = RELOAD_WANTED;
        if (!s->conf || !may_begin(s))
            LOG(LOG_INFO, "reload_remembered",
                LOG_TEXT("why", s->starting ? "the new workers do not consume yet"
                                            : "the old workers are not gone yet"));
    } else if (s->step != RELOAD_WANTED) {
        s->again = true;
    }
}

void reload_turn(struct supervisor *s)
{
    finish_start(s);
    if (s->ending)
        return;
    if (s->step == RELOAD_WANTED)
        begin_check(s);
    if (s->step == RELOAD_CHECKING) {
        enum binary_check_outcome outcome = binary_check_look(s->check, clock_mono_us());
        if (outcome == BINARY_CHECK_REFUSED)
            end_reload(s);
        else if (outcome == BINARY_CHECK_PASSED)
            s->step = RELOAD_PASSED;
    }
    if (s->step == RELOAD_PASSED)
        go_over(s);
}

void reload_reaped(struct supervisor *s, pid_t pid, int status)
{
    binary_check_reaped(s->check, pid, status);
}

void reload_forget(struct supervisor *s)
{
    s->again = false;
    binary_check_end(s->check);
    s->check = NULL;
    s->step = RELOAD_NONE;
}

/* ---- at the start, in the place of the supervisor before ---- */

bool reload_can_adopt(const struct handover *h, const struct shared_header *header, const char **why)
{
    *why = "its children have no place in this build";
    for (size_t i = 0; i < h->child_count; i++)
        if (h->children[i].slot < 0 || (uint32_t)h->children[i].slot >= header->slots)
            return false;
    return h->child_count <= CHILDREN_MAX && (long)h->child_count + h->wanted + 1 <= SHARED_SLOTS;
}

static bool adopt_children(struct supervisor *s, const struct handover *h, bool same)
{
    if (h->child_count > CHILDREN_MAX)
        return false;
    for (size_t i = 0; i < h->child_count; i++) {
        const struct handover_child *c = &h->children[i];
        int role = c->role == SHARED_AGENT ? SHARED_AGENT : SHARED_WORKER;
        int slot = same ? c->slot : shared_older_mirror(c->slot, c->pid, role);
        if (slot < 0 || slot >= SHARED_SLOTS)
            return false;
        s->children[i] = (struct child){
            .pid = c->pid,
            .slot = slot,
            .role = (enum shared_role)role,
            .generation = h->generation,
            .started_us = c->started_us,
            .asked_to_end = c->asked_to_end,
            .killed_by_watchdog = c->killed_by_watchdog,
        };
    }
    return true;
}

bool reload_go_on(struct supervisor *s, const struct handover *h, struct shared_header *header)
{
    char before[sizeof header->build];
    snprintf(before, sizeof before, "%s", header->build);
    bool same = shared_take(h->memory, header);
    if (!same)
        shared_older_begin(h->memory, header);
    if (!adopt_children(s, h, same))
        return false;
    for (size_t i = 0; i < h->figure_count; i++)
        shared_older_figure(h->figures[i].name, h->figures[i].value);
    for (size_t i = 0; !same && i < h->setting_count; i++)
        kept_settings_take(h->settings[i].name, h->settings[i].value);
    shared_older_look();
    shared_older_begun();
    if (h->listen >= 0)
        agent_listen_take(h->listen, h->listen_at);
    s->generation = h->generation + 1;
    s->starting = true;
    s->reload_us = clock_mono_us();
    s->step = h->again ? RELOAD_WANTED : RELOAD_NONE;
    s->wanted = h->wanted;
    s->configured = h->configured;
    s->watchdog_us = h->watchdog_us;
    s->grace_us = h->grace_us;
    LOG(LOG_INFO, "reloading", LOG_NUM("generation", s->generation), LOG_TEXT("version", NOTIFY_VERSION),
        LOG_TEXT("before", before), LOG_TEXT("memory", same ? "same" : "other layout"));
    return true;
}
