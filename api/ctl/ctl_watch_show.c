/*
 * ctl_watch_show - a look at everything, as a frame for people, a line for logs, an object for programs
 *
 * Pure but for writing where it is told. What is not known is said to be so: "-" in a line, null in JSON, the reason in a frame.
 */
#include <inttypes.h>
#include <string.h>

#include "api/ctl/ctl_output.h"
#include "api/ctl/ctl_terminal.h"
#include "api/ctl/ctl_watch.h"
#include "api/service/rows_json.h"

static const char *plus(bool more)
{
    return more ? "+" : "";
}

/* Messages in all queues, or consumers of all, one after the other. */
static void sum_queues(const struct watch_look *look, uint64_t *messages, uint64_t *consumers)
{
    *messages = *consumers = 0;
    for (size_t i = 0; i < look->queue_count; i++) {
        *messages += look->queues[i].messages;
        *consumers += look->queues[i].consumers;
    }
}

/* ---- for people ---- */

/* 75 s, 12 min, 3 h, 5 d. */
static void put_age(FILE *out, long seconds)
{
    if (seconds < 120)
        fprintf(out, "%ld s", seconds);
    else if (seconds < 2 * 3600)
        fprintf(out, "%ld min", seconds / 60);
    else if (seconds < 2 * 86400)
        fprintf(out, "%ld h", seconds / 3600);
    else
        fprintf(out, "%ld d", seconds / 86400);
}

static void put_rates(FILE *out, const struct watch_look *look)
{
    if (look->rates_known)
        fprintf(out, "events %.1f/s   deliveries %.1f/s   failures %.1f/s   dead %.1f/s   (over %.0f s)\n",
                look->rates.events, look->rates.deliveries, look->rates.failures, look->rates.dead,
                look->window);
    else
        fputs("rates from the next turn on\n", out);
}

static void put_ledger(FILE *out, const struct watch_look *look)
{
    fprintf(out, "%ssending %ld   waiting %ld%s   overdue %ld", look->overdue ? TERMINAL_BAD : "",
            look->sending, look->waiting, plus(look->more_open), look->overdue);
    if (look->overdue) {
        fputs(" (for ", out);
        put_age(out, look->overdue_s);
        fputc(')', out);
    }
    fprintf(out, "   in mailboxes %ld%s", look->deferred, plus(look->more_deferred));
    if (look->deferred) {
        fputs(" (oldest ", out);
        put_age(out, look->deferred_s);
        fputc(')', out);
    }
    fprintf(out, "   dead %ld%s\n", look->dead, plus(look->more_dead));
}

static void put_queues(FILE *out, const struct watch_look *look)
{
    fprintf(out, TERMINAL_TITLE "%-24s %10s %10s\n", "Queue", "messages", "consumers");
    for (size_t i = 0; i < look->queue_count; i++) {
        const struct broker_queue *q = &look->queues[i];
        /* What nobody consumes grows; only dead letters have no consumer as a rule. */
        bool lonely =
            q->exists && q->messages && !q->consumers && strcmp(look->queue_names[i], "notify.dead") != 0;
        fprintf(out, "%s%-24s ", lonely ? TERMINAL_WARN : "", look->queue_names[i]);
        if (q->exists)
            fprintf(out, "%10" PRIu32 " %10" PRIu32 "\n", q->messages, q->consumers);
        else
            fprintf(out, "%10s %10s\n", "-", "-");
    }
}

void watch_show_frame(FILE *out, const struct watch_look *look, double interval)
{
    fprintf(out, TERMINAL_TITLE "notifyctl stats   %s   every %g s   q: leave\n\n", look->at, interval);
    if (look->ledger_known) {
        put_rates(out, look);
        put_ledger(out, look);
    } else {
        fprintf(out, TERMINAL_BAD "database: %s; tried again every turn\n", look->database_why);
    }
    fputc('\n', out);
    if (look->queues_known)
        put_queues(out, look);
    else
        fprintf(out, TERMINAL_BAD "broker: %s; tried again every turn\n", look->broker_why);
    if (!look->ledger_known)
        return;
    fputs("\n" TERMINAL_TITLE "Integrations that fail, or have a mailbox\n", out);
    output_table_to(out, look->failing, false);
    fputs("\n" TERMINAL_TITLE "Dead\n", out);
    output_table_to(out, look->reasons, false);
}

/* ---- for logs ---- */

static void put_figure(FILE *out, const char *name, bool known, long figure, bool more)
{
    if (known)
        fprintf(out, " %s=%ld%s", name, figure, plus(more));
    else
        fprintf(out, " %s=-", name);
}

static void put_rate(FILE *out, const char *name, bool known, double rate)
{
    if (known)
        fprintf(out, " %s=%.1f", name, rate);
    else
        fprintf(out, " %s=-", name);
}

/* A text of a server's, which may hold anything. */
static void put_why(FILE *out, const char *name, const char *why)
{
    fprintf(out, " %s=\"", name);
    for (; *why; why++)
        fputc(*why == '"' ? '\'' : (unsigned char)*why < 0x20 || *why == 0x7f ? '?' : *why, out);
    fputc('"', out);
}

void watch_show_line(FILE *out, const struct watch_look *look)
{
    uint64_t messages, consumers;
    bool known = look->ledger_known;
    sum_queues(look, &messages, &consumers);
    fputs(look->at, out);
    put_rate(out, "events/s", look->rates_known, look->rates.events);
    put_rate(out, "deliveries/s", look->rates_known, look->rates.deliveries);
    put_rate(out, "failures/s", look->rates_known, look->rates.failures);
    put_rate(out, "dead/s", look->rates_known, look->rates.dead);
    put_figure(out, "sending", known, look->sending, false);
    put_figure(out, "waiting", known, look->waiting, look->more_open);
    put_figure(out, "overdue", known, look->overdue, false);
    put_figure(out, "mailboxes", known, look->deferred, look->more_deferred);
    put_figure(out, "mailbox_age_s", known, look->deferred_s, false);
    put_figure(out, "dead", known, look->dead, look->more_dead);
    put_figure(out, "failing", known, known ? PQntuples(look->failing) : 0, false);
    put_figure(out, "queued", look->queues_known, (long)messages, false);
    put_figure(out, "consumers", look->queues_known, (long)consumers, false);
    if (!known)
        put_why(out, "database", look->database_why);
    if (!look->queues_known)
        put_why(out, "broker", look->broker_why);
    fputc('\n', out);
}

/* ---- for programs ---- */

static void add_number(struct buf *out, const char *key, double number)
{
    buf_json_key(out, key);
    buf_json_number(out, number);
}

static void add_ledger(struct buf *out, const struct watch_look *look)
{
    const struct {
        const char *name;
        long figure;
    } figures[] = {{"sending", look->sending},   {"waiting", look->waiting},
                   {"overdue", look->overdue},   {"overdue_s", look->overdue_s},
                   {"deferred", look->deferred}, {"deferred_s", look->deferred_s},
                   {"dead", look->dead}};
    buf_json_open_object(out, "ledger");
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        buf_json_key(out, figures[i].name);
        buf_add_int(out, figures[i].figure);
    }
    buf_json_bool(out, "more", look->more_open || look->more_deferred || look->more_dead);
    buf_add_char(out, '}');
    buf_json_key(out, "dead");
    rows_json_array(out, look->reasons);
    buf_json_key(out, "integrations");
    rows_json_array(out, look->failing);
}

static void add_queues(struct buf *out, const struct watch_look *look)
{
    buf_json_open_list(out, "queues");
    for (size_t i = 0; i < look->queue_count; i++) {
        const struct broker_queue *q = &look->queues[i];
        buf_json_open_item(out);
        buf_json_member(out, "name", look->queue_names[i]);
        buf_json_bool(out, "exists", q->exists);
        add_number(out, "messages", q->messages);
        add_number(out, "consumers", q->consumers);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ']');
}

void watch_show_json(struct buf *out, const struct watch_look *look, double interval)
{
    buf_add_char(out, '{');
    buf_json_member(out, "at", look->at);
    add_number(out, "interval_s", interval);
    if (look->rates_known) {
        buf_json_open_object(out, "rates");
        add_number(out, "events", look->rates.events);
        add_number(out, "deliveries", look->rates.deliveries);
        add_number(out, "failures", look->rates.failures);
        add_number(out, "dead", look->rates.dead);
        add_number(out, "over_s", look->window);
        buf_add_char(out, '}');
    } else {
        buf_json_key(out, "rates");
        buf_add_text(out, "null");
    }
    if (look->ledger_known)
        add_ledger(out, look);
    else
        buf_json_member(out, "database_away", look->database_why);
    if (look->queues_known)
        add_queues(out, look);
    else
        buf_json_member(out, "broker_away", look->broker_why);
    buf_add_char(out, '}');
}
