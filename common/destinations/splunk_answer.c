/*
 * splunk_answer - what a Splunk HTTP Event Collector means by an answer
 *
 * Pure. The collector says what became of a request in a code of its own, which decides wherever it is known; the status
 * is for what answers in its place: a proxy, a load balancer, Splunk's web pages. Codes of the documentation ("Troubleshoot
 * HTTP Event Collector"), and those that newer versions answer.
 */
#include "common/base/json.h"
#include "common/destinations/splunk.h"

#define OTHER_TOKEN "make a new token in Splunk and set token to it"
#define ACKNOWLEDGED                                                                                         \
    "the token wants acknowledgments to be asked for, which is not done here; set token to one without "     \
    "\"Enable "                                                                                              \
    "indexer acknowledgment\""
#define OUR_FAULT "please report it"

static const struct meaning {
    int code;
    enum reason reason; /* NONE: it may pass, so try again */
    enum splunk_extent extent;
    const char *detail;
} meanings[] = {
    {1, REASON_REJECTED, SPLUNK_EVERY, "Splunk has the token disabled (code 1); enable it, or " OTHER_TOKEN},
    {2, REASON_REJECTED, SPLUNK_EVERY,
     "Splunk saw no token (code 2); look for a proxy that takes the header Authorization away"},
    {3, REASON_REJECTED, SPLUNK_EVERY,
     "Splunk does not understand the header Authorization (code 3); copy the token again"},
    {4, REASON_REJECTED, SPLUNK_EVERY,
     "Splunk does not know the token (code 4); copy it again, or " OTHER_TOKEN},
    {5, REASON_REJECTED, SPLUNK_EVENT, "Splunk found nothing in the event (code 5); " OUR_FAULT},
    {6, REASON_REJECTED, SPLUNK_EVENT, "Splunk cannot read the event (code 6); " OUR_FAULT},
    {7, REASON_REJECTED, SPLUNK_EVERY,
     "Splunk does not take events for this index with this token (code 7); allow the index in the token's "
     "settings, look at index, or leave it out"},
    {8, REASON_NONE, SPLUNK_EVERY, "Splunk has an error of its own (code 8)"},
    {9, REASON_NONE, SPLUNK_EVERY, "Splunk is busy (code 9)"},
    {10, REASON_REJECTED, SPLUNK_EVERY, "Splunk asks for a data channel (code 10): " ACKNOWLEDGED},
    {11, REASON_REJECTED, SPLUNK_EVERY, "Splunk does not take the data channel (code 11): " ACKNOWLEDGED},
    {12, REASON_REJECTED, SPLUNK_EVENT, "Splunk misses the event's text (code 12); " OUR_FAULT},
    {13, REASON_REJECTED, SPLUNK_EVENT, "Splunk finds the event's text empty (code 13); " OUR_FAULT},
    {14, REASON_REJECTED, SPLUNK_EVERY,
     "Splunk has acknowledgments turned off (code 14); look for a proxy that changes requests"},
    {15, REASON_REJECTED, SPLUNK_EVENT,
     "Splunk cannot read the event's time or fields (code 15); " OUR_FAULT},
    {16, REASON_REJECTED, SPLUNK_EVERY,
     "Splunk wants no token in the address (code 16); look for a proxy that changes requests"},
    {18, REASON_NONE, SPLUNK_EVERY, "Splunk's queues are full (code 18)"},
    {19, REASON_NONE, SPLUNK_EVERY, "Splunk cannot acknowledge now (code 19)"},
    {20, REASON_NONE, SPLUNK_EVERY, "Splunk's queues are full, and it cannot acknowledge now (code 20)"},
    {21, REASON_REJECTED, SPLUNK_EVERY,
     "Splunk does not know the token (code 21); copy it again, or " OTHER_TOKEN},
    {22, REASON_REJECTED, SPLUNK_EVERY,
     "Splunk has the token disabled (code 22); enable it, or " OTHER_TOKEN},
    {23, REASON_NONE, SPLUNK_EVERY, "Splunk is shutting down (code 23)"},
    {26, REASON_NONE, SPLUNK_EVERY, "Splunk's queue is at capacity (code 26)"},
    {27, REASON_NONE, SPLUNK_EVERY, "Splunk's channels for acknowledgments are at capacity (code 27)"},
    {28, REASON_REJECTED, SPLUNK_EVERY, "Splunk asks for a data channel (code 28): " ACKNOWLEDGED},
};

/* Success, and success with a queue, or the channels for acknowledgments, near their capacity. */
enum { CODE_SUCCESS = 0, CODE_QUEUE_NEARLY_FULL = 24, CODE_ACKS_NEARLY_FULL = 25 };

/* What a status means that no code comes with. */
static const struct {
    long status;
    const char *detail;
} statuses[] = {
    {401, "something before Splunk asks for a password (401); look at hec_url, and for a proxy"},
    {403, "something before Splunk forbids the request (403); look at hec_url, and for a proxy or a list of "
          "allowed addresses"},
    {404, "there is no HTTP Event Collector at hec_url (404); set it to https://HOST:8088, and see that the "
          "collector is enabled in Splunk"},
    {405, "what is at hec_url takes no events (405); set it to https://HOST:8088"},
};

static struct splunk_answer answer(enum splunk_extent extent, enum reason reason, enum error_word error,
                                   const char *detail)
{
    return (struct splunk_answer){
        .extent = extent,
        .number = -1,
        .verdict = {.kind = VERDICT_REJECTED, .reason = reason, .error = error, .detail = detail}};
}

static struct splunk_answer from_status(const struct dest_response *r)
{
    if (dest_answer_is_success(r))
        return answer(SPLUNK_EVERY, REASON_REJECTED, ERROR_NOT_ACCEPTED,
                      "the answer is not the HTTP Event Collector's; set hec_url to https://HOST:8088, and "
                      "look for a proxy that answers in its place");
    if (r->status == 413)
        return answer(SPLUNK_SIZE, REASON_TOO_LONG, ERROR_HTTP_STATUS,
                      "Splunk, or a proxy before it, finds the request too large (413); raise its limit");
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (statuses[i].status == r->status)
            return answer(SPLUNK_EVERY, REASON_REJECTED, ERROR_HTTP_STATUS, statuses[i].detail);
    return (struct splunk_answer){.extent = SPLUNK_EVERY, .verdict = verdict_from_status(r), .number = -1};
}

static struct splunk_answer from_meaning(const struct dest_response *r, const struct meaning *m)
{
    struct splunk_answer a = answer(
        m->extent, m->reason, dest_answer_is_success(r) ? ERROR_NOT_ACCEPTED : ERROR_HTTP_STATUS, m->detail);
    if (m->reason == REASON_NONE) {
        a.verdict.kind = VERDICT_RETRY;
        a.verdict.not_before = r->retry_after;
    }
    return a;
}

static struct splunk_answer from_code(const struct dest_response *r, int64_t code)
{
    static const char nearly_full[] =
        "Splunk took it, but is near its capacity; its administrator should know";
    bool nearly = code == CODE_QUEUE_NEARLY_FULL || code == CODE_ACKS_NEARLY_FULL;
    if (dest_answer_is_success(r) && (code == CODE_SUCCESS || nearly))
        return (struct splunk_answer){
            .extent = SPLUNK_SENT,
            .number = -1,
            .verdict = {.kind = VERDICT_DELIVERED, .detail = nearly ? nearly_full : NULL}};
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].code == code)
            return from_meaning(r, &meanings[i]);
    return from_status(r);
}

/* The whole number KEY; -1: there is none. */
static int64_t number_of(struct json_object *body, const char *key)
{
    struct json_object *value = json_get(body, key);
    return json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0
               ? json_object_get_int64(value)
               : -1;
}

struct splunk_answer splunk_judge(const struct dest_response *r)
{
    if (r->error != ERROR_NONE)
        return from_status(r);
    struct json_object *body = dest_answer_json(r);
    struct splunk_answer a = from_code(r, number_of(body, "code"));
    if (r->status == 429 && a.verdict.kind != VERDICT_RETRY)
        a = from_status(r);
    a.number = number_of(body, "invalid-event-number");
    json_object_put(body);
    return a;
}
