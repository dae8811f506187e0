/*
 * rules - the integrations of a workspace, cached until they change
 *
 * Owns the entries, one per workspace and load, each with an arena that holds its rows and, after the first
 * match, opened settings; the arena is wiped when the entry goes. An entry that is in use when it is replaced
 * lives until its last user gives it back. Those who ask wait at the entry that is loaded for them; many are loaded
 * in one statement (pg_batch), and one whose load is refused is tried again, alone, every second.
 *
 * The generation is read BEFORE the SELECT is sent and stored with the rows: a change that commits after the
 * SELECT's snapshot raises it, whenever its notification comes, and the entry is never used again. Those who
 * asked before it was sent are served all the same: its snapshot is younger than their question. Those who asked
 * later only if nothing has changed since. `loaded_us` is
 * the time of sending, so the one second without a proven link is counted from the snapshot's earliest
 * moment.
 */
#include "worker/rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/table.h"
#include "common/model/integration_read.h"
#include "common/model/settings_seal.h"
#include "worker/pg_batch.h"
#include "worker/shared.h"

enum { UNPROVEN_LIFE_US = 1000000, BATCH_MAX = 64, SETTINGS_MAX = 262144, ARENA_BLOCK = 8192 };

struct rules_entry {
    struct pg_batch_item item;       /* until it is loaded */
    struct list waiting;             /* struct rules_wait; until it is loaded */
    struct table_entry by_workspace; /* in `loads`, then in `entries` */
    struct list lru;
    struct uuid workspace;
    uint64_t generation;
    int64_t loaded_us;
    struct arena arena;
    struct rules_integration *integrations; /* sorted by id */
    size_t count;
    struct matches matches;
    int users;
    bool cached; /* in `entries` */
};

struct rules {
    const struct conf *conf;
    const struct fernet_keys *keys;
    struct table entries;
    struct list lru; /* least recently used first */
    size_t held;
    struct table loads; /* entries that wait to be loaded or are, one per workspace */
    struct pg_batch *batch;
};

void rules_row_text(uint64_t row_hash, char out[RULES_ROW_TEXT])
{
    snprintf(out, RULES_ROW_TEXT, "1-%016" PRIx64, row_hash);
}

static struct rules_entry *entry_of(struct pg_batch_item *item)
{
    return list_entry(item, struct rules_entry, item);
}

static uint64_t workspace_hash(const struct uuid *workspace)
{
    return hash_bytes(workspace->bytes, sizeof workspace->bytes);
}

static void free_entry(struct rules_entry *e)
{
    check(e->users == 0 && !e->cached);
    arena_wipe(&e->arena);
    matches_free(&e->matches);
    free(e);
}

/* What it counts against rules.cache_bytes; a workspace without integrations has an arena that holds nothing. */
static size_t size_of(const struct rules_entry *e)
{
    return sizeof *e + e->arena.held + e->matches.held;
}

static void hold(struct rules *r, size_t before, size_t now)
{
    r->held += now - before;
    shared_gauge(COUNT_RULES_BYTES, r->held);
}

static void drop(struct rules *r, struct rules_entry *e)
{
    table_remove(&r->entries, &e->by_workspace);
    list_remove(&e->lru);
    hold(r, size_of(e), 0);
    shared_gauge_add(COUNT_RULES_CACHED, -1);
    e->cached = false;
    if (e->users == 0)
        free_entry(e);
}

static struct rules_entry *find(const struct table *table, const struct uuid *workspace)
{
    struct table_entry *at = table_first(table, workspace_hash(workspace));
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
    struct rules_entry *old = find(&r->entries, &e->workspace);
    if (old)
        drop(r, old);
    table_insert(&r->entries, &e->by_workspace, workspace_hash(&e->workspace));
    list_append(&r->lru, &e->lru);
    hold(r, 0, size_of(e));
    shared_gauge_add(COUNT_RULES_CACHED, 1);
    e->cached = true;
    while (r->held > (size_t)r->conf->rules_cache_bytes && r->lru.next != &e->lru)
        drop(r, list_entry(r->lru.next, struct rules_entry, lru));
}

static void serve(struct rules_wait *w, struct rules_entry *e)
{
    e->users++;
    w->ready(w, e);
}

static struct rules_entry *start_load(struct rules *r, const struct uuid *workspace)
{
    struct rules_entry *e = mem_zalloc(sizeof *e);
    list_init(&e->waiting);
    list_init(&e->lru);
    arena_init(&e->arena, ARENA_BLOCK);
    e->workspace = *workspace;
    table_insert(&r->loads, &e->by_workspace, workspace_hash(workspace));
    pg_batch_add(r->batch, &e->item);
    return e;
}

void rules_get(struct rules *r, struct rules_wait *w)
{
    struct rules_entry *e = find(&r->entries, &w->workspace);
    if (e && is_valid(e)) {
        shared_count(COUNT_RULES_HITS);
        list_remove(&e->lru);
        list_append(&r->lru, &e->lru);
        serve(w, e);
        return;
    }
    shared_count(COUNT_RULES_MISSES);
    struct rules_entry *load = find(&r->loads, &w->workspace);
    if (!load)
        load = start_load(r, &w->workspace);
    w->asked = false;
    list_append(&load->waiting, &w->link);
}

void rules_release(struct rules *r, struct rules_entry *e)
{
    (void)r;
    check(e->users > 0);
    if (--e->users == 0 && !e->cached)
        free_entry(e);
}

/* The answer has the rows of a workspace together: so many of them from ROW on. */
static size_t rows_together(const PGresult *res, int row)
{
    const char *workspace = PQgetvalue(res, row, RULES_WORKSPACE);
    size_t n = 1;
    while (row + (int)n < PQntuples(res) &&
           strcmp(PQgetvalue(res, row + (int)n, RULES_WORKSPACE), workspace) == 0)
        n++;
    return n;
}

static const char *value_at(const PGresult *res, int row, int column)
{
    return PQgetisnull(res, row, column) ? NULL : PQgetvalue(res, row, column);
}

static uint64_t hash_row(const PGresult *res, int row)
{
    uint64_t hash = HASH_START;
    for (int column = RULES_KIND; column <= RULES_CONFIG; column++) {
        bool is_null = PQgetisnull(res, row, column);
        hash = hash_more(hash, &is_null, sizeof is_null);
        hash = hash_more(hash, PQgetvalue(res, row, column), (size_t)PQgetlength(res, row, column) + 1);
    }
    return hash ? hash : 1;
}

/* What the ledger says of the row that it is now, in times of this host: the sooner the request was sent, the earlier. */
static void read_gone(struct rules_integration *out, const struct rules_entry *e, const PGresult *res,
                      int row)
{
    const char *broken_row = value_at(res, row, RULES_BROKEN_ROW);
    char hash[RULES_ROW_TEXT];
    out->row_hash = hash_row(res, row);
    out->in_ledger = broken_row && *broken_row;
    out->gone.at_us = GONE_NO_NEWS;
    rules_row_text(out->row_hash, hash);
    if (!broken_row || (*broken_row && strcmp(broken_row, hash) != 0))
        return;
    out->gone.at_us = e->loaded_us - clock_us(strtod(PQgetvalue(res, row, RULES_BROKEN_AGE), NULL));
    if (*broken_row)
        out->gone.until_us = e->loaded_us + clock_us(strtod(PQgetvalue(res, row, RULES_PROBE_IN), NULL));
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
    struct rules_integration *out = &e->integrations[e->count];
    if (!integration_read(&e->arena, &out->row, &columns))
        return; /* no UUID: cannot come from a uuid column */
    e->count++;
    read_gone(out, e, res, row);
    dest_set(&out->row);
}

static void on_rows(void *owner, enum statement statement, const PGresult *res, struct pg_batch_item **items,
                    size_t count)
{
    struct rules *r = owner;
    (void)statement;
    (void)items;
    (void)count;
    for (int row = 0, n; row < PQntuples(res); row += n) {
        struct uuid workspace;
        n = (int)rows_together(res, row);
        struct rules_entry *e = NULL;
        if (uuid_parse(&workspace, PQgetvalue(res, row, RULES_WORKSPACE)))
            e = find(&r->loads, &workspace);
        if (!e)
            continue;
        e->integrations = arena_alloc(&e->arena, (size_t)n * sizeof *e->integrations);
        e->count = 0;
        for (int i = 0; i < n; i++)
            read_row(e, res, row + i);
    }
}

/* Those who asked while the load was under way may find that it is out of date already: they ask again. */
static void finish_load(struct rules *r, struct rules_entry *e)
{
    struct list waiting = LIST_HEAD_INIT(waiting), *at;
    table_remove(&r->loads, &e->by_workspace);
    list_splice(&waiting, &e->waiting);
    install(r, e);
    e->users++; /* held while its waiters are served */
    while ((at = list_shift(&waiting))) {
        struct rules_wait *w = list_entry(at, struct rules_wait, link);
        if (w->asked || is_valid(e))
            serve(w, e);
        else
            rules_get(r, w);
    }
    rules_release(r, e);
}

static void on_loaded(void *owner, struct pg_batch_item **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        finish_load(owner, entry_of(items[i]));
}

/* The rows of this workspace cannot be read: its events wait, for who knows what was meant to be sent to whom? */
static void on_refused(void *owner, struct pg_batch_item *item, const struct pg_request *why)
{
    struct rules *r = owner;
    char workspace[UUID_TEXT];
    uuid_format(&entry_of(item)->workspace, workspace);
    LOG(LOG_ERROR, "rules_refused", LOG_TEXT("workspace", workspace), LOG_TEXT("sqlstate", why->sqlstate),
        LOG_TEXT("words", why->words));
    pg_batch_put_aside(r->batch, item);
}

static void send_loads(void *owner, struct pg_batch_item **items, size_t count)
{
    struct rules *r = owner;
    struct pg_array *workspaces = pg_batch_columns(r->batch, STATEMENT_RULES);
    for (size_t i = 0; i < count; i++) {
        struct rules_entry *e = entry_of(items[i]);
        struct list *at;
        arena_wipe(&e->arena);
        matches_free(&e->matches);
        e->integrations = NULL;
        e->count = 0;
        e->generation = shared_generation(&e->workspace);
        e->loaded_us = clock_mono_us();
        list_for_each (at, &e->waiting)
            list_entry(at, struct rules_wait, link)->asked = true;
        pg_array_add_uuid(workspaces, &e->workspace);
    }
    pg_batch_execute(r->batch);
}

struct rules *rules_new(struct event_base *base, struct pg_link *link, const struct conf *conf,
                        const struct fernet_keys *keys)
{
    static const struct pg_batch_calls calls = {send_loads, on_rows, on_loaded, on_refused};
    static const struct pg_batch_settings settings = {
        .batch = BATCH_RULES,
        .most = BATCH_MAX,
    };
    struct rules *r = mem_zalloc(sizeof *r);
    r->conf = conf;
    r->keys = keys;
    table_init(&r->entries);
    table_init(&r->loads);
    list_init(&r->lru);
    r->batch = pg_batch_new(base, link, &settings, &calls, r);
    return r;
}

void rules_free(struct rules *r)
{
    struct table_entry *at;
    if (!r)
        return;
    while (!list_is_empty(&r->lru)) {
        struct rules_entry *e = list_entry(r->lru.next, struct rules_entry, lru);
        e->users = 0; /* the worker ends: its users are gone or going */
        drop(r, e);
    }
    while ((at = table_any(&r->loads))) {
        table_remove(&r->loads, at);
        free_entry(list_entry(at, struct rules_entry, by_workspace));
    }
    table_free(&r->entries);
    table_free(&r->loads);
    pg_batch_free(r->batch);
    free(r);
}

bool rules_withdraw(struct rules *r, struct rules_wait *w)
{
    (void)r; /* a load that is under way for it serves others, or fills the cache */
    if (list_is_empty(&w->link))
        return false;
    list_remove(&w->link);
    return true;
}

void rules_resume(struct rules *r)
{
    pg_batch_resume(r->batch);
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

const struct matches_found *rules_match(struct rules *r, struct rules_entry *e, enum event_type type,
                                        const struct facts *facts)
{
    size_t before = size_of(e);
    const struct matches_found *found = matches_find(&e->matches, e->integrations, e->count, type, facts);
    if (e->cached)
        hold(r, before, size_of(e));
    return found;
}

static void open_settings(struct rules *r, struct rules_entry *e, struct rules_integration *i)
{
    struct dest_config_error error = {.reason = REASON_CONFIG_INVALID};
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
    i->settings_hash = hash_bytes(i->row.config_encrypted, i->row.config_size);
    open_settings(r, e, i);
    if (e->cached)
        hold(r, before, size_of(e));
}
