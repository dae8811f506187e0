#ifndef NOTIFY_CTL_CTL_REPORT_H
#define NOTIFY_CTL_CTL_REPORT_H

#include "api/ctl/ctl.h"
#include "api/ctl/ctl_broker.h"

/*
 * The lines of `notifyctl check`: "ok   SUBJECT: TEXT", "FAIL SUBJECT: TEXT", "note SUBJECT: TEXT"; or an array
 * of objects {"check": SUBJECT, "result": "ok", "fail" or "note", "text": TEXT}.
 */
struct report {
    bool json;
    size_t lines;
    bool failed;   /* something is not as it must be */
    bool away;     /* a server could not be asked */
    bool bad_conf; /* the configuration is the reason */
};

void report_start(struct report *report, const struct ctl *ctl);
void report_end(const struct report *report);
void report_ok(struct report *report, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* True, and worth knowing. */
void report_note(struct report *report, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_fail(struct report *report, const char *subject, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* FAIL for the last thing that failed on DB. */
void report_fail_db(struct report *report, const char *subject, const struct db *db);

/* The parts of the check; each prints its lines. */
void check_keys(struct report *report, const struct conf *conf);
void check_broker(struct report *report, const struct conf *conf);
void check_broker_tls(struct report *report, const struct broker *broker, const struct conf *conf);
void check_database(struct report *report, const struct conf *conf);
void check_database_tls(struct report *report, const struct db *db);
void check_settings(struct report *report, struct db *db, const struct conf *conf);
void check_api(struct report *report, struct db *db, const struct conf *conf);

#endif
