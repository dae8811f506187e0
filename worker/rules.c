/*
 * rules - the integrations of a workspace, cached until they change
 *
 * Owns the entries, one per workspace and load, each with an arena that holds its rows and, after the first
 * match, opened settings; the arena is wiped when the entry goes. An entry that is in use when it is replaced
 * lives until its last user gives it back.
 *
 * The generation is read BEFORE the SELECT is sent and stored with the rows: a change that commits after the
 * SELECT's snapshot raises it, whenever its notification comes, and the entry is never used again. Those who
 * asked before it was sent are served all the same: its snapshot is younger than their question. Those who asked
 * later only if nothing has changed since. `loaded_us` is
 * the time of sending, so the one second without a proven link is counted from the snapshot's earliest
 * moment.
 */
#include "worker/rules.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/table.h"
#include "common/model/integration_read.h"
#include "common/model/settings_seal.h"
#include "worker/pg_columns.h"
#include "worker/shared.h"

enum {
    UNPROVEN_LIFE_US = 1000000,
    AGAIN_MS = 250,
    REFUSED_S = 1,
    BATCH_MAX = 64,
    SETTINGS_MAX = 262144,
    ARENA_BLOCK = 8192
};

struct rules_entry {
    struct table_entry by_workspace;
    struct list lru;
    struct uuid workspace;
    uint64_t generation;
    int64_t loaded_us;
    struct arena arena;
    struct rules_integration *integrations; /* sorted by id */
    size_t count;
    size_t room;
    int users;
    bool cached; /* in the table */
};

struct rules {
    struct pg_link *link;
    const struct conf *conf;
    const struct fernet_keys *keys;
    struct table entries;
    struct list lru; /* least recently used first */
    size_t held;
    struct list waiting; /* struct rules_wait */
    struct rules_entry *loading[BATCH_MAX];
    size_t loading_count;
    struct pg_request request;
    struct pg_columns columns;
    bool under_way;
    size_t alone_left;   /* a load was refused: so many are loaded one by one */
    struct uuid refused; /* the first that was refused alone since the last pause */
    bool any_refused;
    struct event *send_event;
    struct event *again;
};

static void send_batch(struct rules *r);

static void on_send(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    send_batch(arg);
}

static uint64_t workspace_hash(const struct uuid *workspace)
{
    return hash_bytes(workspace->bytes, sizeof workspace->bytes);
}

static void free_entry(struct rules_entry *e)
{
    check(e->users == 0 && !e->cached);
    arena_wipe(&e->arena);
    free(e);
}

/* What it counts against rules.cache_bytes; a workspace without integrations has an arena that holds nothing. */
static size_t size_of(const struct rules_entry *e)
{
    return sizeof *e + e->arena.held;
}

static void drop(struct rules *r, struct rules_entry *e)
{
    table_remove(&r->entries, &e->by_workspace);
    list_remove(&e->lru);
    r->held -= size_of(e);
    e->cached = false;
    if (e->users == 0)
        free_entry(e);
}

static struct rules_entry *find_entry(struct rules *r, const struct uuid *workspace)
{
    struct table_entry *at = table_first(&r->entries, workspace_hash(workspace));
    for (; at; at = table_next(at)) {
        struct rules_entry *e = list_entry(at, struct rules_entry, by_workspace);
        if (uuid_equal(&e->workspace, workspace))
            return e;
    }
    return NULL;
}

static bool is_valid(const struct rules_entry *e)
{
    int64_t now = clock_mono_us();
    if (shared_generation(&e->workspace) != e->generation)
        return false;
    return shared_is_proven(now) || now - e->loaded_us < UNPROVEN_LIFE_US;
}

static void install(struct rules *r, struct rules_entry *e)
{
    struct rules_entry *old = find_entry(r, &e->workspace);
    if (old)
        drop(r, old);
    table_insert(&r->entries, &e->by_workspace, workspace_hash(&e->workspace));
    list_append(&r->lru, &e->lru);
    r->held += size_of(e);
    e->cached = true;
    while (r->held > (size_t)r->conf->rules_cache_bytes && r->lru.next != &e->lru)
        drop(r, list_entry(r->lru.next, struct rules_entry, lru));
}

static void serve(struct rules_wait *w, struct rules_entry *e)
{
    e->users++;
    w->ready(w, e);
}

void rules_get(struct rules *r, struct rules_wait *w)
{
    struct rules_entry *e = find_entry(r, &w->workspace);
    list_init(&w->link);
    w->asked = false;
    if (e && is_valid(e)) {
        list_remove(&e->lru);
        list_append(&r->lru, &e->lru);
        serve(w, e);
        return;
    }
    list_append(&r->waiting, &w->link);
    if (!r->under_way)
        event_active(r->send_event, EV_TIMEOUT, 1);
}

void rules_release(struct rules *r, struct rules_entry *e)
{
    (void)r;
    check(e->users > 0);
    if (--e->users == 0 && !e->cached)
        free_entry(e);
}

static struct rules_entry *loading_entry(struct rules *r, const struct uuid *workspace)
{
    for (size_t i = 0; i < r->loading_count; i++)
        if (uuid_equal(&r->loading[i]->workspace, workspace))
            return r->loading[i];
    return NULL;
}

static struct rules_integration *add_integration(struct rules_entry *e)
{
    if (e->count == e->room) {
        size_t room = e->room ? e->room * 2 : 8;
        struct rules_integration *bigger = arena_alloc(&e->arena, room * sizeof *bigger);
        if (e->count)
            memcpy(bigger, e->integrations, e->count * sizeof *bigger);
        e->integrations = bigger;
        e->room = room;
    }
    return &e->integrations[e->count++];
}

static const char *value_at(const PGresult *res, int row, int column)
{
    return PQgetisnull(res, row, column) ? NULL : PQgetvalue(res, row, column);
}

static void read_row(struct rules_entry *e, const PGresult *res, int row)
{
    struct integration_columns columns = {
        .id = value_at(res, row, RULES_ID),
        .workspace_id = value_at(res, row, RULES_WORKSPACE),
        .kind = value_at(res, row, RULES_KIND),
        .name = value_at(res, row, RULES_NAME),
        .enabled = value_at(res, row, RULES_ENABLED),
        .severity_filter = value_at(res, row, RULES_SEVERITY),
        .target_ids = value_at(res, row, RULES_TARGET_IDS),
        .events = value_at(res, row, RULES_EVENTS),
        .target_kinds = value_at(res, row, RULES_TARGET_KINDS),
        .config_encrypted = value_at(res, row, RULES_CONFIG),
    };
    struct rules_integration *out = add_integration(e);
    if (!integration_read(&e->arena, &out->row, &columns))
        e->count--; /* no UUID: cannot come from a uuid column */
    else
        out->row.dest = out->row.kind ? dest_find(out->row.kind) : NULL;
}

static void on_rows(struct pg_request *request, int index, const PGresult *res)
{
    struct rules *r = list_entry(request, struct rules, request);
    (void)index;
    for (int row = 0; row < PQntuples(res); row++) {
        struct uuid workspace;
        if (!uuid_parse(&workspace, PQgetvalue(res, row, RULES_WORKSPACE)))
            continue;
        struct rules_entry *e = loading_entry(r, &workspace);
        if (e)
            read_row(e, res, row);
    }
}

/* Throw away what was being loaded; those who wait go on waiting. */
static void forget_loading(struct rules *r)
{
    for (size_t i = 0; i < r->loading_count; i++) {
        arena_wipe(&r->loading[i]->arena);
        free(r->loading[i]);
    }
    r->loading_count = 0;
}

static void deliver_loaded(struct rules *r)
{
    struct list served = LIST_HEAD_INIT(served);
    struct list *at, *next;
    for (size_t i = 0; i < r->loading_count; i++) {
        r->loading[i]->users++; /* held while its waiters are served */
        if (r->any_refused && uuid_equal(&r->loading[i]->workspace, &r->refused))
            r->any_refused = false;
        install(r, r->loading[i]);
    }
    list_splice(&served, &r->waiting);
    list_for_each_safe (at, next, &served) {
        struct rules_wait *w = list_entry(at, struct rules_wait, link);
        struct rules_entry *e = loading_entry(r, &w->workspace);
        list_remove(at);
        if (e && (w->asked || is_valid(e)))
            serve(w, e);
        else
            list_append(&r->waiting, at);
    }
    size_t count = r->loading_count;
    r->loading_count = 0;
    for (size_t i = 0; i < count; i++)
        rules_release(r, r->loading[i]);
}

/*
 * The rows of some workspace cannot be read: load one by one, and let the one that fails wait behind the others. When
 * the first of those that fail comes round again, all others have had their turn: a pause.
 */
static void on_refused(struct rules *r)
{
    if (r->loading_count > 1) {
        r->alone_left = r->loading_count;
        return;
    }
    struct uuid refused = r->loading[0]->workspace;
    struct list behind = LIST_HEAD_INIT(behind), *at, *next;
    list_for_each_safe (at, next, &r->waiting) {
        if (!uuid_equal(&list_entry(at, struct rules_wait, link)->workspace, &refused))
            continue;
        list_remove(at);
        list_append(&behind, at);
    }
    list_splice(&r->waiting, &behind);
    if (r->any_refused && uuid_equal(&r->refused, &refused)) {
        r->any_refused = false;
        event_add(r->again, &(struct timeval){REFUSED_S, 0});
    } else if (!r->any_refused) {
        r->any_refused = true;
        r->refused = refused;
    }
}

static void on_done(struct pg_request *request)
{
    struct rules *r = list_entry(request, struct rules, request);
    r->under_way = false;
    if (request->outcome == PG_DONE) {
        r->alone_left -= r->alone_left > 0;
        deliver_loaded(r);
    } else if (request->outcome == PG_LINK_LOST) {
        forget_loading(r);
        return;
    } else {
        bool refused = request->outcome == PG_BAD_DATA;
        LOG(refused ? LOG_ERROR : LOG_WARN, refused ? "rules_refused" : "rules_again",
            LOG_NUM("workspaces", r->loading_count), LOG_TEXT("sqlstate", request->sqlstate),
            LOG_TEXT("words", request->words));
        if (refused)
            on_refused(r);
        else
            event_add(r->again, &(struct timeval){0, AGAIN_MS * 1000});
        forget_loading(r);
    }
    if (!list_is_empty(&r->waiting))
        event_active(r->send_event, EV_TIMEOUT, 1);
}

/* The first of those who wait, or, while a refused load is taken apart, those of one workspace only. */
static void gather(struct rules *r)
{
    struct list *at;
    size_t most = r->alone_left > 0 ? 1 : BATCH_MAX;
    struct pg_array *workspaces = pg_columns_start(&r->columns, STATEMENT_RULES);
    list_for_each (at, &r->waiting) {
        struct rules_wait *w = list_entry(at, struct rules_wait, link);
        bool there = loading_entry(r, &w->workspace) != NULL;
        if (!there && r->loading_count == most)
            continue;
        w->asked = true;
        if (there)
            continue;
        struct rules_entry *e = mem_zalloc(sizeof *e);
        list_init(&e->lru);
        arena_init(&e->arena, ARENA_BLOCK);
        e->workspace = w->workspace;
        e->generation = shared_generation(&w->workspace);
        e->loaded_us = clock_mono_us();
        r->loading[r->loading_count++] = e;
        pg_array_add_uuid(workspaces, &w->workspace);
    }
}

static void send_batch(struct rules *r)
{
    if (r->under_way || list_is_empty(&r->waiting) || !pg_link_is_up(r->link) ||
        event_pending(r->again, EV_TIMEOUT, NULL))
        return;
    gather(r);
    r->under_way = true;
    shared_count(COUNT_RULES_STATEMENTS);
    pg_link_begin(r->link, &r->request);
    pg_columns_execute(&r->columns, r->link, &r->request);
    pg_link_end(r->link, &r->request);
}

struct rules *rules_new(struct event_base *base, struct pg_link *link, const struct conf *conf,
                        const struct fernet_keys *keys)
{
    struct rules *r = mem_zalloc(sizeof *r);
    r->link = link;
    r->conf = conf;
    r->keys = keys;
    table_init(&r->entries);
    list_init(&r->lru);
    list_init(&r->waiting);
    pg_columns_init(&r->columns);
    r->request.result = on_rows;
    r->request.done = on_done;
    r->send_event = event_new(base, -1, 0, on_send, r);
    r->again = event_new(base, -1, 0, on_send, r);
    return r;
}

void rules_free(struct rules *r)
{
    if (!r)
        return;
    while (!list_is_empty(&r->lru)) {
        struct rules_entry *e = list_entry(r->lru.next, struct rules_entry, lru);
        e->users = 0; /* the worker ends: its users are gone or going */
        drop(r, e);
    }
    forget_loading(r);
    table_free(&r->entries);
    pg_columns_free(&r->columns);
    event_free(r->send_event);
    event_free(r->again);
    free(r);
}

void rules_resume(struct rules *r)
{
    event_active(r->send_event, EV_TIMEOUT, 1);
}

size_t rules_count(const struct rules_entry *e)
{
    return e->count;
}

struct rules_integration *rules_at(struct rules_entry *e, size_t index)
{
    check(index < e->count);
    return &e->integrations[index];
}

static int compare_id(const void *key, const void *member)
{
    const struct rules_integration *i = member;
    return memcmp(((const struct uuid *)key)->bytes, i->row.id.bytes, sizeof i->row.id.bytes);
}

struct rules_integration *rules_find(struct rules_entry *e, const struct uuid *id)
{
    /* ORDER BY id: PostgreSQL orders UUIDs by their bytes. */
    return e->count ? bsearch(id, e->integrations, e->count, sizeof *e->integrations, compare_id) : NULL;
}

static void open_settings(struct rules *r, struct rules_entry *e, struct rules_integration *i)
{
    struct dest_config_error error = {REASON_CONFIG_INVALID, NULL};
    struct buf plain;
    if (!i->row.dest) {
        i->reason = REASON_UNKNOWN_KIND;
        i->detail = arena_printf(&e->arena, "kind \"%s\" is not in this version; disable the integration",
                                 i->row.kind);
        return;
    }
    if (!i->row.config_encrypted) {
        i->reason = REASON_CONFIG_UNREADABLE;
        i->detail = "no settings are stored";
        return;
    }
    buf_init(&plain, SETTINGS_MAX);
    if (!settings_open(r->keys, i->row.config_encrypted, i->row.config_size, &plain, &i->detail)) {
        char id[UUID_TEXT];
        i->reason = REASON_CONFIG_UNREADABLE;
        uuid_format(&i->row.id, id);
        LOG(LOG_ERROR, "settings_unreadable", LOG_TEXT("integration", id), LOG_TEXT("detail", i->detail),
            LOG_TEXT("advice", "if all are, the keys are not those of the deployment: see notifyctl check"));
    } else {
        i->config = i->row.dest->config_parse(&e->arena, plain.data, plain.len, &error);
        i->reason = i->config ? REASON_NONE : error.reason;
        i->detail = i->config ? NULL : error.detail;
    }
    buf_wipe(&plain);
}

void rules_open_settings(struct rules *r, struct rules_entry *e, struct rules_integration *i)
{
    if (i->opened)
        return;
    size_t before = size_of(e);
    i->opened = true;
    open_settings(r, e, i);
    if (e->cached)
        r->held += size_of(e) - before;
}
