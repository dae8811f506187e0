/*
 * ctl_rotate - notifyctl rotate-keys: all settings under the first key
 *
 * Goes through the integrations in the order of their ids, some at a time. What another key opens is sealed again, byte for byte
 * what it was, and written where the row is still as it was read: a change that somebody makes meanwhile is never undone, and
 * nobody is waited for. It goes through them again until the first key alone opens all of them in one reading, which proves
 * that no row needs another key. So it can be broken off and run again at any time.
 *
 * Workers read each row that was changed again, and both keys open it, before and after.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/ctl/ctl.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/fernet.h"
#include "common/base/uuid.h"

enum {
    BATCH_DEFAULT = 100,
    BATCH_MAX = 1000,
    PASSES = 10, /* what is locked or changed each time within so many seconds is left to the next run */
    NAMED_MAX = 5,
    PLAIN_MAX = 16 * 1024 * 1024,
    CHANGES_FULL =
        16 * 1024 * 1024, /* bytes of a statement's changes that are enough, however few rows they are of */
    CHANGES_MAX = CHANGES_FULL + 8 * PLAIN_MAX,
};

/* What one reading has found. */
struct pass {
    long current; /* open with the first key, or with nothing to open */
    long older;   /* open with another */
    long written;
    long bad; /* open with none */
    char named[NAMED_MAX * (UUID_TEXT + 2) + 8];
};

struct rotation {
    struct db db;
    struct fernet_keys keys;
    const char *batch;
    bool only_looks;
    long written, passes;
    struct buf ids, was, now; /* of the rows that are to be written, as arrays of PostgreSQL's */
};

static void name_bad(struct pass *p, const char *id)
{
    size_t used = strlen(p->named);
    if (p->bad < NAMED_MAX)
        snprintf(p->named + used, sizeof p->named - used, "%s%s", p->bad ? ", " : "", id);
    else if (p->bad == NAMED_MAX)
        snprintf(p->named + used, sizeof p->named - used, ", ...");
    p->bad++;
}

static void add_item(struct buf *array, const char *prefix, const char *item, size_t n)
{
    buf_add_char(array, array->len ? ',' : '{');
    buf_add_text(array, prefix);
    buf_add(array, item, n);
}

static void add_bytes(struct buf *array, const char *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    add_item(array, "\"\\\\x", "", 0);
    for (size_t i = 0; i < n; i++) {
        buf_add_char(array, digits[(unsigned char)bytes[i] >> 4]);
        buf_add_char(array, digits[(unsigned char)bytes[i] & 15]);
    }
    buf_add_char(array, '"');
}

static void look_at(struct rotation *r, struct pass *p, const char *id, const char *token, size_t n)
{
    struct buf plain, sealed;
    size_t index = 0;
    buf_init(&plain, PLAIN_MAX);
    buf_init(&sealed, 2 * PLAIN_MAX);
    if (fernet_decrypt(&r->keys, token, n, 0, -1, &plain, &index) != FERNET_OK) {
        name_bad(p, id);
    } else if (index == 0) {
        p->current++;
    } else if (r->only_looks) {
        p->older++;
    } else {
        p->older++;
        fernet_encrypt(&r->keys, plain.data, plain.len, clock_wall_us() / 1000000, NULL, &sealed);
        add_item(&r->ids, "", id, strlen(id));
        add_bytes(&r->was, token, n);
        add_bytes(&r->now, sealed.data, sealed.len);
    }
    buf_wipe(&plain);
    buf_wipe(&sealed);
}

/* Write what look_at has gathered. A row that somebody holds is left to the next pass. */
static bool write_changes(struct rotation *r, struct pass *p)
{
    static const char sql[] = "WITH it AS MATERIALIZED (SELECT i.id, x.now FROM unnest($1::uuid[], "
                              "$2::bytea[], $3::bytea[]) x (id, was, now)"
                              " JOIN public.integrations i ON i.id = x.id AND i.config_encrypted = x.was"
                              " ORDER BY i.id FOR NO KEY UPDATE OF i SKIP LOCKED),"
                              " done AS (UPDATE public.integrations i SET config_encrypted = it.now FROM it "
                              "WHERE i.id = it.id RETURNING i.id)"
                              " SELECT count(*) FROM done";
    if (r->ids.len == 0)
        return true;
    buf_add_char(&r->ids, '}');
    buf_add_char(&r->was, '}');
    buf_add_char(&r->now, '}');
    const char *values[] = {buf_text(&r->ids), buf_text(&r->was), buf_text(&r->now)};
    PGresult *rows = db_query(&r->db, sql, 3, values);
    buf_reset(&r->ids);
    buf_reset(&r->was);
    buf_reset(&r->now);
    if (!rows)
        return false;
    p->written += strtol(PQgetvalue(rows, 0, 0), NULL, 10);
    PQclear(rows);
    return true;
}

static bool take_row(struct rotation *r, struct pass *p, const char *id, const char *column)
{
    size_t n = 0;
    unsigned char *token = PQunescapeBytea((const unsigned char *)column, &n);
    if (n == 0)
        p->current++;
    else
        look_at(r, p, id, (const char *)token, n);
    PQfreemem(token);
    return r->was.len < CHANGES_FULL || write_changes(r, p);
}

/* One batch behind LAST, which moves on. The number of rows, or -1. */
static int take_batch(struct rotation *r, struct pass *p, char last[UUID_TEXT])
{
    const char *values[] = {last, r->batch};
    PGresult *rows = db_query(&r->db,
                              "SELECT id, config_encrypted FROM public.integrations WHERE id > $1::uuid"
                              " ORDER BY id LIMIT $2::int",
                              2, values);
    bool good = rows != NULL;
    int count = good ? PQntuples(rows) : -1;
    for (int i = 0; i < count && good; i++) {
        good = take_row(r, p, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1));
        snprintf(last, UUID_TEXT, "%s", PQgetvalue(rows, i, 0));
    }
    PQclear(rows);
    return good && write_changes(r, p) ? count : -1;
}

/* Read all once; false: the database failed. */
static bool pass_once(struct rotation *r, struct pass *p)
{
    char last[UUID_TEXT] = "00000000-0000-0000-0000-000000000000"; /* below every id that anybody gives */
    int count;
    memset(p, 0, sizeof *p);
    do
        count = take_batch(r, p, last);
    while (count > 0);
    r->passes++;
    r->written += p->written;
    return count == 0;
}

/* ---- what is said ---- */

static enum ctl_exit tell(const struct ctl *ctl, const struct rotation *r, const struct pass *p)
{
    bool proven = p->older == 0 && p->bad == 0;
    if (ctl_value(ctl, "--json")) {
        printf("{\"rotated\":%ld,\"current\":%ld,\"older\":%ld,\"unreadable\":%ld,\"only_first_key_is_used\":"
               "%s}\n",
               r->written, p->current, p->older, p->bad, proven ? "true" : "false");
    } else {
        if (!r->only_looks)
            printf("%ld integrations were sealed again with the first key\n", r->written);
        if (proven)
            printf("the first key opens all %ld: no row needs another one\n", p->current);
        else
            printf("%ld open with the first key\n", p->current);
    }
    if (p->older)
        fprintf(stderr, "notifyctl: %ld need another key%s\n", p->older,
                r->only_looks
                    ? "; run rotate-keys without --dry-run"
                    : ": they are locked, or somebody still seals with it; make the new key the first "
                      "one everywhere, and run it again");
    if (p->bad)
        fprintf(stderr,
                "notifyctl: %ld open with none of the keys: %s; add the key they were made with to "
                "secrets.fernet_keys, or save their settings again\n",
                p->bad, p->named);
    return proven ? CTL_DONE : CTL_NO;
}

/* ---- ---- */

static bool run(struct rotation *r, struct pass *p)
{
    const struct timespec pause = {1, 0};
    /* A policy that hides rows must not make them pass for done. */
    if (!db_run(&r->db, "SET row_security = off"))
        return false;
    for (;;) {
        if (!pass_once(r, p))
            return false;
        if (p->older == 0 || r->only_looks || r->passes == PASSES)
            return true;
        if (p->written < p->older)
            nanosleep(&pause, NULL);
    }
}

enum ctl_exit ctl_rotate_keys(const struct ctl *ctl)
{
    const struct conf_texts *texts = &ctl->conf->secrets_fernet_keys;
    struct rotation r = {.only_looks = ctl_value(ctl, "--dry-run") != NULL};
    struct pass last;
    char batch[16];
    long size;
    size_t bad;
    if (!ctl_number(ctl, "--batch", 1, BATCH_MAX, BATCH_DEFAULT, &size))
        return CTL_WRONG_USE;
    if (!texts->count) {
        fputs("notifyctl: there is no key; set secrets.fernet_keys, secrets.fernet_keys_file or FERNET_KEY\n",
              stderr);
        return CTL_BAD_CONF;
    }
    if (!fernet_keys_init(&r.keys, texts->items, texts->count, &bad))
        return CTL_BAD_CONF; /* refused by conf_load already */
    snprintf(batch, sizeof batch, "%ld", size);
    r.batch = batch;
    buf_init(&r.ids, CHANGES_MAX);
    buf_init(&r.was, CHANGES_MAX);
    buf_init(&r.now, CHANGES_MAX);
    enum ctl_exit code;
    if (!db_open(&r.db, ctl->conf, "notifyctl", DB_AS_LOGIN) || !run(&r, &last))
        code = ctl_fail_db(&r.db);
    else
        code = tell(ctl, &r, &last);
    db_close(&r.db);
    buf_free(&r.ids);
    buf_free(&r.was);
    buf_free(&r.now);
    fernet_keys_wipe(&r.keys);
    return code;
}
