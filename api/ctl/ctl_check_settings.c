/*
 * ctl_check_settings - do the settings of all integrations decrypt?
 *
 * Reads the table in pages, keeps counts and the ids of those that do not, and wipes every plaintext at once.
 * Nothing of the settings is ever printed.
 */
#include <stdlib.h>
#include <string.h>

#include "api/ctl/ctl_report.h"
#include "common/base/buf.h"
#include "common/base/fernet.h"
#include "common/base/uuid.h"
#include "common/model/settings_seal.h"

enum {
    NAMED_MAX = 5, /* ids that are printed */
    PLAIN_MAX = 1024 * 1024,
};

struct tally {
    long good, empty, bad;
    struct buf named; /* ids of the bad ones */
};

static void count_one(struct tally *t, const struct fernet_keys *keys, const char *id, const char *column)
{
    size_t size = 0;
    unsigned char *token = PQunescapeBytea((const unsigned char *)column, &size);
    struct buf plain;
    const char *why;
    buf_init(&plain, PLAIN_MAX);
    if (token && settings_open(keys, token, size, &plain, &why)) {
        t->good++;
    } else {
        if (t->bad < NAMED_MAX)
            buf_printf(&t->named, "%s%s", t->bad ? ", " : "", id);
        else if (t->bad == NAMED_MAX)
            buf_add_text(&t->named, ", ...");
        t->bad++;
    }
    buf_wipe(&plain);
    PQfreemem(token);
}

/* Count one page of rows behind LAST, which moves on. The number of rows, or -1. */
static int count_page(struct db *db, struct tally *t, const struct fernet_keys *keys, char last[UUID_TEXT])
{
    const char *values[] = {last};
    PGresult *rows = db_query(db,
                              "SELECT id, config_encrypted FROM public.integrations WHERE id > $1::uuid"
                              " ORDER BY id LIMIT 500",
                              1, values);
    if (!rows)
        return -1;
    int count = PQntuples(rows);
    for (int i = 0; i < count; i++) {
        const char *id = PQgetvalue(rows, i, 0);
        if (PQgetisnull(rows, i, 1))
            t->empty++;
        else
            count_one(t, keys, id, PQgetvalue(rows, i, 1));
        if (i == count - 1)
            strncpy(last, id, UUID_TEXT - 1);
    }
    PQclear(rows);
    return count;
}

void check_settings(struct report *report, struct db *db, const struct conf *conf)
{
    const struct conf_texts *texts = &conf->secrets_fernet_keys;
    struct fernet_keys keys;
    size_t bad_key;
    if (!texts->count || !fernet_keys_init(&keys, texts->items, texts->count, &bad_key))
        return; /* said by check_keys */

    struct tally t = {.good = 0};
    /* The nil UUID, below every id that anybody gives. */
    char last[UUID_TEXT] = "00000000-0000-0000-0000-000000000000";
    buf_init(&t.named, (size_t)(NAMED_MAX + 1) * (UUID_TEXT + 2));
    int count;
    do
        count = count_page(db, &t, &keys, last);
    while (count > 0);
    if (count < 0)
        report_fail_db(report, "settings", db);
    else if (t.bad && !t.good)
        report_fail(report, "settings",
                    "none of %ld integrations decrypts: %s; the key is not the deployment's FERNET_KEY: put "
                    "that one into secrets.fernet_keys",
                    t.bad, buf_text(&t.named));
    else if (t.bad)
        report_fail(
            report, "settings",
            "%ld of %ld integrations do not decrypt with any key, or hold no JSON object: %s; add the key "
            "they were made with to secrets.fernet_keys, or save their settings again",
            t.bad, t.good + t.bad + t.empty, buf_text(&t.named));
    else
        report_ok(report, "settings", "%ld integrations decrypt, %ld have none", t.good, t.empty);
    buf_free(&t.named);
    fernet_keys_wipe(&keys);
}
