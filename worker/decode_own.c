/*
 * decode_own - the headers that we put on our own messages
 *
 * Called for messages from our own queues only; on a producers' queue anybody could write these headers. A
 * missing header means its default. One that does not read is refused and named: it cannot come from us, and
 * a guess about the attempt or the integration could send something twice.
 */
#include <string.h>

#include "common/base/utf8.h"
#include "worker/decode_parts.h"
#include "worker/own_message.h"

enum { QUEUE_NAME_MAX = 255 }; /* a short string of AMQP 0-9-1 */

/* A decimal number without sign; false when it is none or above MAX. */
static bool parse_number(const char *text, size_t n, int64_t max, int64_t *out)
{
    int64_t value = 0;
    if (n == 0 || n > 18)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    *out = value;
    return value <= max;
}

/* FOUND tells whether the header is there; false when it is and holds no number from 0 to MAX. */
static bool read_number(struct decoding *d, enum own_header header, int64_t max, enum reason reason,
                        bool *found, int64_t *out)
{
    const struct raw_header *h = raw_message_header(d->raw, own_header_name(header));
    *found = h && h->kind != RAW_HEADER_NULL;
    if (!*found)
        return true;
    if (h->kind == RAW_HEADER_INT && h->number >= 0 && h->number <= max) {
        *out = h->number;
        return true;
    }
    if (h->kind == RAW_HEADER_TEXT && parse_number(h->text, h->size, max, out))
        return true;
    return decode_refuse(d, reason, "header %s holds no number from 0 to %lld", own_header_name(header),
                         (long long)max);
}

static bool read_time(struct decoding *d, enum own_header header, bool *found, int64_t *out_us)
{
    int64_t ms = 0;
    if (!read_number(d, header, OWN_TIME_MAX_MS, REASON_BAD_TIME, found, &ms))
        return false;
    if (*found)
        *out_us = ms * 1000;
    return true;
}

static bool read_attempt(struct decoding *d)
{
    bool found;
    int64_t attempt = 1;
    if (!read_number(d, OWN_ATTEMPT, OWN_ATTEMPT_MAX, REASON_BAD_ARGUMENTS, &found, &attempt))
        return false;
    if (attempt == 0)
        return decode_refuse(d, REASON_BAD_ARGUMENTS, "header x-notify-attempt is 0; the first attempt is 1");
    d->out->attempt = (int)attempt;
    return true;
}

static bool read_integration(struct decoding *d)
{
    const struct raw_header *h = raw_message_header(d->raw, own_header_name(OWN_INTEGRATION));
    if (!h || h->kind == RAW_HEADER_NULL)
        return true;
    d->out->has_integration =
        h->kind == RAW_HEADER_TEXT && h->size == 36 && uuid_parse(&d->out->integration, h->text);
    return d->out->has_integration ||
           decode_refuse(d, REASON_BAD_ID, "header x-notify-integration is no UUID");
}

bool decode_wake(const struct raw_message *raw, struct uuid *integration, int *number)
{
    const struct raw_header *id = raw_message_header(raw, own_header_name(OWN_WAKE));
    const struct raw_header *which = raw_message_header(raw, own_header_name(OWN_WAKE_NUMBER));
    if (!id || id->kind != RAW_HEADER_TEXT || id->size != UUID_TEXT - 1 || !uuid_parse(integration, id->text))
        return false;
    if (!which || which->kind != RAW_HEADER_INT || which->number < 1 || which->number > INT32_MAX)
        return false;
    *number = (int)which->number;
    return true;
}

static bool read_redelivered(struct decoding *d)
{
    bool found;
    int64_t value = 0;
    if (!read_number(d, OWN_REDELIVERED, 1, REASON_BAD_ARGUMENTS, &found, &value))
        return false;
    d->out->redelivered |= value == 1;
    return true;
}

/* The body of such a message is that of a scan_done; only this header says what it stands for. */
static bool read_expand(struct decoding *d)
{
    struct event *event = &d->out->event;
    bool found;
    int64_t value = 0;
    if (!read_number(d, OWN_EXPAND, 1, REASON_BAD_ARGUMENTS, &found, &value))
        return false;
    event->expand |= value == 1;
    return !event->expand || (event->type == EVENT_SCAN_DONE && !d->out->has_integration) ||
           decode_refuse(d, REASON_BAD_ARGUMENTS,
                         "a scan's findings come as scan_done, and without x-notify-integration");
}

bool decode_own_headers(struct decoding *d)
{
    bool found;
    const struct raw_header *queue = raw_message_header(d->raw, own_header_name(OWN_QUEUE));
    if (queue && queue->kind == RAW_HEADER_TEXT && queue->size > 0)
        d->out->origin_queue = utf8_storable_copy(d->arena, queue->text, queue->size, QUEUE_NAME_MAX);
    return read_attempt(d) && read_integration(d) && read_expand(d) && read_redelivered(d) &&
           read_time(d, OWN_FIRST_SEEN, &found, &d->out->event.first_seen_us) &&
           read_time(d, OWN_ETA, &d->out->has_eta, &d->out->eta_us) &&
           read_time(d, OWN_EXPIRES, &d->out->has_expires, &d->out->expires_us);
}
