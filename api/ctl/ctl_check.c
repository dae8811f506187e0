/*
 * ctl_check - notifyctl check: is everything as a worker needs it?
 *
 * Asks, changes nothing, and says one line for each thing, with what to do where it is wrong. The database is
 * asked as the workers would, under database.role. The exit code is the gravest of what was found: bad
 * configuration, a server away, something wrong.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl_report.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/fernet.h"

enum { TEXT_MAX = 65536 }; /* bytes of one line: a right on every column of a wide table has a thousand */

enum result { RESULT_OK, RESULT_NOTE, RESULT_FAIL };

void report_start(struct report *report, const struct ctl *ctl)
{
    *report = (struct report){.json = ctl_value(ctl, "--json") != NULL};
}

void report_end(const struct report *report)
{
    if (report->json)
        puts(report->lines ? "]" : "[]");
}

static void __attribute__((format(printf, 4, 0)))
add_line(struct report *report, enum result result, const char *subject, const char *format, va_list args)
{
    static const char *const in_line[] = {"ok", "note", "FAIL"}, *const in_json[] = {"ok", "note", "fail"};
    char text[TEXT_MAX];
    struct buf line;
    vsnprintf(text, sizeof text, format, args);
    buf_init(&line, 8 * TEXT_MAX);
    if (report->json) {
        buf_add_text(&line, report->lines ? ",\n {" : "[{");
        buf_json_key(&line, "check");
        buf_json_text(&line, subject);
        buf_json_key(&line, "result");
        buf_json_text(&line, in_json[result]);
        buf_json_key(&line, "text");
        buf_json_text(&line, text);
        buf_add_char(&line, '}');
    } else {
        buf_printf(&line, "%-4s %s: %s\n", in_line[result], subject, text);
    }
    fputs(buf_text(&line), stdout);
    buf_free(&line);
    report->lines++;
}

void report_ok(struct report *report, const char *subject, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_line(report, RESULT_OK, subject, format, args);
    va_end(args);
}

void report_note(struct report *report, const char *subject, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_line(report, RESULT_NOTE, subject, format, args);
    va_end(args);
}

void report_fail(struct report *report, const char *subject, const char *format, ...)
{
    va_list args;
    report->failed = true;
    va_start(args, format);
    add_line(report, RESULT_FAIL, subject, format, args);
    va_end(args);
}

void report_fail_db(struct report *report, const char *subject, const struct db *db)
{
    switch (db->failure) {
    case DB_AWAY:
    case DB_LOCKED:
        report->away = true;
        report_fail(report, subject, "%s; is the server up, and is database.url right?", db->why);
        break;
    case DB_UNTRUSTED:
        report->bad_conf = true;
        report_fail(report, subject, "%s; %s", db->why, db->advice);
        break;
    case DB_ROLE:
        report->bad_conf = true;
        report_fail(report, subject,
                    "%s; run schema/roles.sql, grant that role to the login role, or correct database.role",
                    db->why);
        break;
    case DB_REFUSED:
        report->bad_conf = strncmp(db->sqlstate, "28", 2) == 0 || strcmp(db->sqlstate, "3D000") == 0;
        report_fail(report, subject, "%s; %s", db->why,
                    report->bad_conf ? "correct user, password or database in database.url"
                                     : "see the other lines and the server's log");
        break;
    }
}

/* One key by itself, there and back. */
static bool key_works(const char *text)
{
    static const char sample[] = "sample";
    struct fernet_keys keys;
    size_t bad;
    if (!fernet_keys_init(&keys, &text, 1, &bad))
        return false;
    struct buf token, plain;
    buf_init(&token, 1024);
    buf_init(&plain, sizeof sample);
    fernet_encrypt(&keys, sample, strlen(sample), clock_wall_us() / 1000000, NULL, &token);
    bool good = fernet_decrypt(&keys, buf_text(&token), token.len, 0, -1, &plain, NULL) == FERNET_OK &&
                strcmp(buf_text(&plain), sample) == 0;
    buf_free(&token);
    buf_free(&plain);
    fernet_keys_wipe(&keys);
    return good;
}

void check_keys(struct report *report, const struct conf *conf)
{
    const struct conf_texts *keys = &conf->secrets_fernet_keys;
    if (!keys->count) {
        report->bad_conf = true;
        report_fail(report, "keys",
                    "there is none; set secrets.fernet_keys, secrets.fernet_keys_file or FERNET_KEY");
        return;
    }
    for (size_t i = 0; i < keys->count; i++)
        if (!key_works(keys->items[i])) {
            report_fail(report, "keys", "key %zu does not work; is OpenSSL's default provider there?", i + 1);
            return;
        }
    report_ok(report, "keys", "%zu usable", keys->count);
}

void ctl_check_bad_conf(const struct ctl *ctl, const struct conf_errors *errors)
{
    struct report report;
    report_start(&report, ctl);
    for (size_t i = 0; i < errors->list.count; i++)
        report_fail(&report, "configuration", "%s", errors->list.items[i]);
    report_end(&report);
}

enum ctl_exit ctl_check(const struct ctl *ctl)
{
    struct report report;
    report_start(&report, ctl);
    report_ok(&report, "configuration", "no error");
    check_keys(&report, ctl->conf);
    check_broker(&report, ctl->conf);
    check_database(&report, ctl->conf);
    report_end(&report);
    return report.bad_conf ? CTL_BAD_CONF : report.away ? CTL_AWAY : report.failed ? CTL_NO : CTL_DONE;
}
