/*
 * auth - tokens of the API
 *
 * Tokens that are asked for at the same time are looked up together. What the database said holds for REMEMBER_US, so a token that
 * is revoked is good for a second more. A token's secret is compared with its hash in constant time, and kept no longer than
 * until that was done.
 *
 * Each token has a bucket of as many requests as it may make in a second, and gets that many a second.
 */
#include "api/rest/auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/rest/calls.h"
#include "api/service/service_statements.h"
#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/table.h"
#include "common/db/pg_advice.h"
#include "common/db/pg_link.h"

enum { REMEMBER_US = 1000000, TICK_S = 1, TOKENS_MAX = 4096, NOTE_TICKS = 60, IDS_MAX = 1 << 20 };
/* Its connection has no others, so that who may ask does not hang on the product's tables. */
enum { FIRST_STATEMENT = API_TOKEN_ROLE, STATEMENTS = API_TOKEN_USED - API_TOKEN_ROLE + 1 };

struct known {
    struct table_entry by_id;
    struct list link; /* by when it was read, the oldest first */
    char id[TOKEN_ID];
    char workspace[37];
    char expires[AUTH_TIME];
    char hash[SHA256_HEX];
    char *name;
    bool may_write;
    bool revoked;
    bool used; /* since it was noted */
    int64_t read_us;
    int64_t expires_us; /* 0: not */
    double left;        /* requests in its bucket */
    int64_t filled_us;
};

struct auth {
    const struct conf *conf;
    struct pg_link *link;
    struct event *tick;
    struct table known;
    struct list by_age;
    size_t count;
    struct list waiting; /* for the next look-up */
    struct list asked;   /* for the answer to the one under way */
    struct pg_request request, note;
    bool under_way, noting;
    int64_t asked_us;
    int ticks;
};

/* ---- what is known ---- */

static struct known *find(const struct auth *a, const char *id)
{
    for (struct table_entry *at = table_first(&a->known, hash_text(id)); at; at = table_next(at)) {
        struct known *k = list_entry(at, struct known, by_id);
        if (strcmp(k->id, id) == 0)
            return k;
    }
    return NULL;
}

static void forget(struct auth *a, struct known *k)
{
    table_remove(&a->known, &k->by_id);
    list_remove(&k->link);
    a->count--;
    explicit_bzero(k->hash, sizeof k->hash);
    free(k->name);
    free(k);
}

static struct known *learn(struct auth *a, const char *id)
{
    struct known *k = find(a, id);
    if (k) {
        list_remove(&k->link);
    } else {
        if (a->count == TOKENS_MAX)
            forget(a, list_entry(a->by_age.next, struct known, link));
        k = mem_zalloc(sizeof *k);
        snprintf(k->id, sizeof k->id, "%s", id);
        list_init(&k->link);
        k->left = a->conf->api_rate;
        k->filled_us = clock_mono_us();
        table_insert(&a->known, &k->by_id, hash_text(id));
        a->count++;
    }
    list_append(&a->by_age, &k->link);
    return k;
}

static char *copy(const char *text)
{
    char *out = strdup(text);
    mem_check(out != NULL);
    return out;
}

/* 0: a request may be made, and is counted. */
static double wait_of(const struct auth *a, struct known *k)
{
    int64_t now = clock_mono_us();
    double rate = a->conf->api_rate;
    k->left += (double)(now - k->filled_us) / 1e6 * rate;
    k->left = k->left < rate ? k->left : rate;
    k->filled_us = now;
    if (k->left < 1)
        return (1 - k->left) / rate;
    k->left--;
    return 0;
}

static void tell(struct auth_wait *w, enum auth_result result)
{
    explicit_bzero(w->text, sizeof w->text);
    w->result = result;
    w->done(w);
}

static void judge(const struct auth *a, struct auth_wait *w, struct known *k)
{
    if (!k || !token_matches(w->text, k->hash) || k->revoked) {
        tell(w, AUTH_UNKNOWN);
        return;
    }
    if (k->expires_us && clock_mono_us() >= k->expires_us) {
        tell(w, AUTH_EXPIRED);
        return;
    }
    w->wait_s = wait_of(a, k);
    if (w->wait_s > 0) {
        tell(w, AUTH_TOO_OFTEN);
        return;
    }
    k->used = true;
    snprintf(w->id, sizeof w->id, "%s", k->id);
    snprintf(w->workspace, sizeof w->workspace, "%s", k->workspace);
    snprintf(w->expires, sizeof w->expires, "%s", k->expires);
    w->name = copy(k->name);
    w->may_write = k->may_write;
    tell(w, AUTH_GOOD);
}

/* ---- the database ---- */

static void add_id(struct buf *ids, const char *id)
{
    buf_add_char(ids, ids->len ? ',' : '{');
    buf_add_text(ids, id); /* hexadecimal digits */
}

static void send_ids(struct auth *a, struct pg_request *request, enum api_statement statement,
                     struct buf *ids)
{
    buf_add_char(ids, '}');
    const char *values[] = {buf_text(ids)};
    pg_link_begin(a->link, request);
    pg_link_execute(a->link, request, API_TOKEN_ROLE - FIRST_STATEMENT, 1, values, NULL, NULL);
    pg_link_execute(a->link, request, (int)statement - FIRST_STATEMENT, 1, values, NULL, NULL);
    pg_link_end(a->link, request);
}

static void on_tokens(struct pg_request *request, int index, const PGresult *r)
{
    struct auth *a = list_entry(request, struct auth, request);
    int64_t now = clock_mono_us();
    if (index == 0)
        return; /* of API_TOKEN_ROLE */
    for (int row = 0; row < PQntuples(r); row++) {
        struct known *k = learn(a, PQgetvalue(r, row, API_TOKEN_ID));
        free(k->name);
        k->name = copy(PQgetvalue(r, row, API_TOKEN_NAME));
        snprintf(k->workspace, sizeof k->workspace, "%s", PQgetvalue(r, row, API_TOKEN_WORKSPACE_ID));
        snprintf(k->expires, sizeof k->expires, "%s", PQgetvalue(r, row, API_TOKEN_EXPIRES));
        snprintf(k->hash, sizeof k->hash, "%s", PQgetvalue(r, row, API_TOKEN_HASH));
        k->may_write = strcmp(PQgetvalue(r, row, API_TOKEN_SCOPE), "write") == 0;
        k->revoked = *PQgetvalue(r, row, API_TOKEN_REVOKED) == 't';
        k->expires_us = 0;
        if (!PQgetisnull(r, row, API_TOKEN_LEFT))
            k->expires_us = now + clock_us(strtod(PQgetvalue(r, row, API_TOKEN_LEFT), NULL));
        k->read_us = now;
    }
}

static void ask(struct auth *a);

static void on_asked(struct pg_request *request)
{
    struct auth *a = list_entry(request, struct auth, request);
    struct list all, *at;
    a->under_way = false;
    list_init(&all);
    list_splice(&all, &a->asked);
    if (request->outcome != PG_DONE) {
        if (request->outcome == PG_BAD_DATA)
            LOG(LOG_ERROR, "tokens_refused", LOG_TEXT("sqlstate", request->sqlstate),
                LOG_TEXT("words", request->words), LOG_TEXT("advice", pg_advice(request->sqlstate)));
        list_splice(&a->waiting, &all); /* the tick asks again, or gives up */
        return;
    }
    while ((at = list_shift(&all))) {
        struct auth_wait *w = list_entry(at, struct auth_wait, link);
        struct known *k = find(a, w->id);
        judge(a, w, k && k->read_us >= a->asked_us ? k : NULL); /* one that was not found again is gone */
    }
    ask(a);
}

static void ask(struct auth *a)
{
    struct list *at;
    struct buf ids;
    if (a->under_way || list_is_empty(&a->waiting) || !pg_link_is_up(a->link))
        return;
    buf_init(&ids, IDS_MAX);
    list_splice(&a->asked, &a->waiting);
    list_for_each (at, &a->asked)
        add_id(&ids, list_entry(at, struct auth_wait, link)->id);
    a->under_way = true;
    a->asked_us = clock_mono_us();
    a->request = (struct pg_request){.result = on_tokens, .done = on_asked};
    send_ids(a, &a->request, API_TOKEN_FIND, &ids);
    buf_free(&ids);
}

static void on_noted(struct pg_request *request)
{
    list_entry(request, struct auth, note)->noting = false;
}

/* When each was used last, for people; a note that is lost is none. */
static void note_used(struct auth *a)
{
    struct list *at;
    struct buf ids;
    if (a->noting || !pg_link_is_up(a->link))
        return;
    buf_init(&ids, IDS_MAX);
    list_for_each (at, &a->by_age) {
        struct known *k = list_entry(at, struct known, link);
        if (k->used)
            add_id(&ids, k->id);
        k->used = false;
    }
    if (ids.len) {
        a->noting = true;
        a->note = (struct pg_request){.done = on_noted};
        send_ids(a, &a->note, API_TOKEN_USED, &ids);
    }
    buf_free(&ids);
}

static void give_up_late(struct auth *a)
{
    struct list *at, *next;
    int64_t now = clock_mono_us();
    list_for_each_safe (at, next, &a->waiting) {
        struct auth_wait *w = list_entry(at, struct auth_wait, link);
        if (now < w->until_us)
            continue;
        list_remove(at);
        tell(w, AUTH_AWAY);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct auth *a = arg;
    (void)fd;
    (void)what;
    give_up_late(a);
    ask(a);
    if (++a->ticks % NOTE_TICKS == 1)
        note_used(a);
}

static void on_up(void *owner, struct pg_link *link)
{
    (void)link;
    ask(owner);
}

/* ---- ---- */

void auth_check(struct auth *a, const char *header, struct auth_wait *w)
{
    static const char scheme[] = "Bearer ";
    size_t n = sizeof scheme - 1;
    w->name = NULL;
    w->wait_s = 0;
    list_init(&w->link);
    if (!header || strncasecmp(header, scheme, n) != 0 || !token_parse(header + n, w->id)) {
        tell(w, AUTH_UNKNOWN);
        return;
    }
    snprintf(w->text, sizeof w->text, "%s", header + n);
    struct known *k = find(a, w->id);
    if (k && clock_mono_us() - k->read_us < REMEMBER_US) {
        judge(a, w, k);
        return;
    }
    w->until_us = clock_mono_us() + clock_us(a->conf->database_timeout);
    list_append(&a->waiting, &w->link);
    ask(a);
}

struct auth *auth_new(struct event_base *base, struct dialer *dialer, const struct conf *conf)
{
    static const struct pg_link_calls calls = {.up = on_up};
    struct pg_link_settings settings = calls_link_settings(conf, "pencheff-notify tokens");
    settings.statements = &api_statements[FIRST_STATEMENT];
    settings.statement_count = STATEMENTS;
    struct auth *a = mem_zalloc(sizeof *a);
    struct timeval tv = {TICK_S, 0};
    a->conf = conf;
    table_init(&a->known);
    list_init(&a->by_age);
    list_init(&a->waiting);
    list_init(&a->asked);
    a->tick = event_new(base, -1, EV_PERSIST, on_tick, a);
    event_add(a->tick, &tv);
    a->link = pg_link_new(base, dialer, &settings, &calls, a);
    pg_link_start(a->link);
    return a;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    pg_link_free(a->link);
    while (!list_is_empty(&a->by_age))
        forget(a, list_entry(a->by_age.next, struct known, link));
    table_free(&a->known);
    event_free(a->tick);
    free(a);
}
