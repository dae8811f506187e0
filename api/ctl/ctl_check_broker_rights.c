/*
 * ctl_check_broker_rights - may the broker's user do what notifyd does?
 *
 * RabbitMQ gives three rights by patterns on names. Reading and writing can be asked for without effect (see
 * ctl_broker.c), also while a queue does not exist yet; configuring only on a queue that exists, by declaring
 * it once more. All that is missing comes in one line, with the command that gives everything.
 */
#include <ctype.h>
#include <string.h>

#include "api/ctl/ctl_check_broker.h"
#include "common/base/buf.h"

#define OWN_NAMES "notify(\\..*)?"

enum { LIST_MAX = 65536 };

/* The names on which each right is missing. */
struct missing {
    struct buf configure, write, read;
};

static void add_name(struct buf *list, const char *name)
{
    buf_printf(list, "%s%s", list->len ? ", " : "", name);
}

/* A blank and WORD as a shell reads it. */
static void add_word(struct buf *out, const char *word)
{
    size_t plain = 0;
    while (isalnum((unsigned char)word[plain]) || (word[plain] && strchr("/._-", word[plain])))
        plain++;
    buf_add_char(out, ' ');
    if (plain && !word[plain]) {
        buf_add_text(out, word);
        return;
    }
    buf_add_char(out, '\'');
    for (; *word; word++)
        if (*word == '\'')
            buf_add_text(out, "'\\''");
        else
            buf_add_char(out, *word);
    buf_add_char(out, '\'');
}

static bool is_own_name(const char *name)
{
    return strcmp(name, "notify") == 0 || strncmp(name, "notify.", strlen("notify.")) == 0;
}

/* The pattern for our names and the producers' queues, as a shell's word. */
static void add_pattern(struct buf *out, const struct conf *conf)
{
    struct buf names, pattern;
    buf_init(&names, LIST_MAX);
    buf_init(&pattern, LIST_MAX);
    for (size_t i = 0; i < conf->broker_queues.count; i++) {
        const char *name = conf->broker_queues.items[i];
        if (is_own_name(name))
            continue;
        buf_add_char(&names, '|');
        for (; *name; name++) {
            if (strchr(".[]{}()*+?^$|\\", *name))
                buf_add_char(&names, '\\');
            buf_add_char(&names, *name);
        }
    }
    if (names.len)
        buf_printf(&pattern, "^(" OWN_NAMES "%s)$", buf_text(&names));
    else
        buf_add_text(&pattern, "^" OWN_NAMES "$");
    add_word(out, buf_text(&pattern));
    buf_free(&names);
    buf_free(&pattern);
}

static void report_missing(struct report *report, const struct broker *broker, const struct conf *conf,
                           const struct missing *missing)
{
    const struct {
        const char *right;
        const struct buf *names;
    } rights[] = {{"configure", &missing->configure}, {"write", &missing->write}, {"read", &missing->read}};
    struct buf text;
    buf_init(&text, 8 * LIST_MAX);
    for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++)
        if (rights[i].names->len)
            buf_printf(&text, "%sno right to %s %s", text.len ? "; " : "", rights[i].right,
                       buf_text(rights[i].names));
    if (text.len) {
        /* "at least", because the command replaces what the user has. */
        buf_add_text(&text, "; give at least: rabbitmqctl set_permissions -p");
        add_word(&text, broker->vhost);
        add_word(&text, broker->user);
        for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++)
            add_pattern(&text, conf);
        report_fail(report, "broker rights", "%s", buf_text(&text));
    } else {
        report_ok(report, "broker rights", "configure, write and read as far as can be asked");
    }
    buf_free(&text);
}

/* Our own queue NAME: may we declare it? False when the broker stopped answering. */
static bool ask_configure(struct broker *broker, const struct conf *conf, const char *name,
                          struct missing *missing)
{
    struct broker_queue queue;
    bool fits;
    if (!broker_look(broker, name, &queue))
        return false;
    if (!queue.exists || broker_fits(broker, name, strcmp(conf->broker_queue_type, "quorum") == 0, &fits))
        return true;
    if (!broker_is_forbidden(broker))
        return false;
    add_name(&missing->configure, name);
    return true;
}

/* False when the broker stopped answering. */
static bool ask_all(struct broker *broker, const struct conf *conf, struct missing *missing)
{
    const char *name;
    bool may;
    for (size_t i = 0; (name = check_queue_name(conf, i)) != NULL; i++) {
        if (!broker_may_read(broker, name, &may))
            return false;
        if (!may)
            add_name(&missing->read, name);
        if (!broker_may_write(broker, name, &may))
            return false;
        if (!may)
            add_name(&missing->write, name);
        /* A producer's queue is its producer's to declare, perhaps otherwise than we would. */
        if (i >= conf->broker_queues.count && !ask_configure(broker, conf, name, missing))
            return false;
    }
    return true;
}

bool check_broker_rights(struct report *report, struct broker *broker, const struct conf *conf)
{
    struct missing missing;
    buf_init(&missing.configure, LIST_MAX);
    buf_init(&missing.write, LIST_MAX);
    buf_init(&missing.read, LIST_MAX);
    bool answered = ask_all(broker, conf, &missing);
    if (answered)
        report_missing(report, broker, conf, &missing);
    else
        check_broker_lost(report, "broker rights", broker);
    buf_free(&missing.configure);
    buf_free(&missing.write);
    buf_free(&missing.read);
    return answered;
}
