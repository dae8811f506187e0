#ifndef NOTIFY_CTL_CTL_H
#define NOTIFY_CTL_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/conf.h"
#include "common/db/db.h"

/* Exit codes of contract section 2; 75 and 78 are those of sysexits.h. */
enum ctl_exit {
    CTL_DONE = 0,
    CTL_NO = 1,        /* it ran, and the answer is no */
    CTL_WRONG_USE = 2, /* of the command line */
    CTL_AWAY = 75,     /* a server is away, or busy: try again later */
    CTL_BAD_CONF = 78,
};

enum { CTL_OPTIONS_MAX = 20, CTL_WORDS_MAX = 2 };

#define CTL_DEFAULT_FILE "/etc/pencheff-notify/notify.conf"

struct ctl_option {
    const char *name;  /* with its dashes */
    const char *value; /* what follows it, for the help; in brackets: may be left out; NULL: it is a switch */
    const char *help;
    char letter; /* the same with one dash; 0: none */
};

struct ctl;

struct ctl_command {
    const char *name; /* may be two words, "dead list" */
    const char *
        words; /* what may stand behind it, "EVENT [INTEGRATION]"; in brackets: may be left out; NULL: nothing */
    const char *help;
    struct ctl_option options[CTL_OPTIONS_MAX + 1]; /* ends with a NULL name */
    enum ctl_exit (*run)(const struct ctl *ctl);
    /* What to print instead of running when the configuration is wrong; NULL: the errors, on standard error. */
    void (*bad_conf)(const struct ctl *ctl, const struct conf_errors *errors);
    bool needs_no_conf; /* the configuration is not read, and ctl->conf is NULL */
};

/* One call of the program. */
struct ctl {
    const struct ctl_command *command;
    const char *group; /* without a command: the first word of several commands, "dead"; else NULL */
    struct conf *conf;
    const char *values[CTL_OPTIONS_MAX]; /* by option; NULL: not given; a switch that was given is "" */
    const char *words[CTL_WORDS_MAX];    /* what stands behind the command; NULL: not given */
};

/* The index of option NAME of the command, or -1; COMMAND may be NULL. */
int ctl_find_option(const struct ctl_command *command, const char *name);
/* The value of option NAME of this command, NULL when it was not given. */
const char *ctl_value(const struct ctl *ctl, const char *name);

/*
 * Values that must have a form. What is not given (NULL) is good; false, and said on standard error, when it is not
 * of that form.
 */
/* Read option NAME as a whole number of MIN to MAX; DEFAULT_VALUE when not given. */
bool ctl_number(const struct ctl *ctl, const char *name, long min, long max, long default_value, long *out);
/* Read option NAME as an age: seconds, or a number with s, m, h or d behind it. *OUT in seconds; -1 when not given. */
bool ctl_age(const struct ctl *ctl, const char *name, double *out);
/* Read option NAME as a time, as ISO 8601 says it. *OUT in microseconds since 1970; -1 when not given. */
bool ctl_time(const struct ctl *ctl, const char *name, int64_t *out);
/* VALUE, which was given for NAME, is a UUID. */
bool ctl_is_uuid(const char *name, const char *value);
/* VALUE, which was given for NAME, is a word of LIST (notifyctl --list). */
bool ctl_is_listed(const char *name, const char *value, const char *list);

/* Say on standard error why the last thing on DB failed ("notifyctl: database: WHY; ADVICE") and give the
 * exit code for it. */
enum ctl_exit ctl_fail_db(const struct db *db);
/* What to do about that, and the exit code. Static text. */
const char *ctl_db_advice(const struct db *db, enum ctl_exit *code);
/* Open the database as the workers do (database.role); false when it could not be, with the exit code. */
bool ctl_open_db(const struct ctl *ctl, struct db *db, enum ctl_exit *code);

enum { CTL_SETTINGS_MAX = 65536 }; /* bytes: the settings of an integration have a few hundred */

/*
 * Append what FD, which is called NAME, holds to OUT, up to its maximum. False, and said on standard error, when it cannot be
 * read or is longer.
 */
bool ctl_read_settings(int fd, const char *name, struct buf *out);

/* The commands; each in a file of its own. */
enum ctl_exit ctl_migrate(const struct ctl *ctl);
enum ctl_exit ctl_check(const struct ctl *ctl);
void ctl_check_bad_conf(const struct ctl *ctl, const struct conf_errors *errors);
enum ctl_exit ctl_seal(const struct ctl *ctl);
enum ctl_exit ctl_deliveries(const struct ctl *ctl);
enum ctl_exit ctl_stats(const struct ctl *ctl);
enum ctl_exit ctl_stats_watch(const struct ctl *ctl);
enum ctl_exit ctl_dead_list(const struct ctl *ctl);
enum ctl_exit ctl_dead_show(const struct ctl *ctl);
enum ctl_exit ctl_dead_replay(const struct ctl *ctl);
enum ctl_exit ctl_dead_drop(const struct ctl *ctl);
enum ctl_exit ctl_explain(const struct ctl *ctl);
enum ctl_exit ctl_prune(const struct ctl *ctl);
enum ctl_exit ctl_rotate_keys(const struct ctl *ctl);
enum ctl_exit ctl_audit(const struct ctl *ctl);
enum ctl_exit ctl_integration_list(const struct ctl *ctl);
enum ctl_exit ctl_integration_create(const struct ctl *ctl);
enum ctl_exit ctl_integration_update(const struct ctl *ctl);
enum ctl_exit ctl_integration_delete(const struct ctl *ctl);
enum ctl_exit ctl_integration_test(const struct ctl *ctl);
enum ctl_exit ctl_token_create(const struct ctl *ctl);
enum ctl_exit ctl_token_list(const struct ctl *ctl);
enum ctl_exit ctl_token_revoke(const struct ctl *ctl);
enum ctl_exit ctl_completion(const struct ctl *ctl);

#endif
