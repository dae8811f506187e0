/*
 * google_chat - one message per event into a space of Google Chat, through an incoming webhook
 *
 * A conversation of one request. The URL is the credential: it stands in the request and nowhere else. Answers are JSON:
 * the message that was made, or the error of all of Google's interfaces (cloud.google.com/apis/design/errors), whose
 * status word says more than the HTTP status. Whether webhooks honour the interface's requestId is written down nowhere,
 * so a repeat shows twice.
 */
#include "common/destinations/google_chat.h"

#include <string.h>

#include "common/base/http_time.h"
#include "common/base/json.h"

/* Without it a thread's name counts for nothing; with it, and without a thread's name, the request is refused. */
#define REPLIES "messageReplyOption="

/* ---- settings ---- */

static bool has_parameter(const char *url, const char *first, const char *further)
{
    return strstr(url, first) || strstr(url, further);
}

/* Who has set the option knows what for. */
static const char *url_in_thread(struct arena *arena, const char *url)
{
    if (has_parameter(url, "?" REPLIES, "&" REPLIES))
        return url;
    return arena_printf(arena, "%s%c" REPLIES "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD", url,
                        strchr(url, '?') ? '&' : '?');
}

static const struct dest_setting settings[] = {
    DEST_SETTING_WEBHOOK_URL("The URL of a webhook of the space, as it was copied.",
                             "https://chat.googleapis.com/v1/spaces/A/messages?key=k&token=t"),
    DEST_SETTING_STYLE,
    {.key = NULL},
};

static const void *google_chat_config_parse(struct arena *arena, const char *json, size_t size,
                                            struct dest_config_error *error)
{
    struct google_chat_config *config = arena_alloc(arena, sizeof *config);
    struct json_object *root = dest_config_read(json, size, error);
    if (!root)
        return NULL;
    config->url = dest_config_url(arena, root, "webhook_url", "the space's webhook's", error);
    bool good = config->url && dest_config_style(root, &config->style, error);
    if (good)
        config->in_thread = url_in_thread(arena, config->url);
    if (good && !dest_config_host_is(config->url, "chat.googleapis.com"))
        error->advice = "webhook_url does not lead to Google Chat (chat.googleapis.com); that is right for a "
                        "server that speaks its format";
    else if (good && !(has_parameter(config->url, "?key=", "&key=") &&
                       has_parameter(config->url, "?token=", "&token=")))
        error->advice = "webhook_url has no key or no token, without which Google Chat refuses requests; "
                        "copy it again as a whole";
    json_object_put(root);
    return good ? config : NULL;
}

/* ---- answers ---- */

#define COPY_AGAIN "copy the webhook's URL again as a whole, with its key and its token"

/* REASON_NONE: tried again. */
static const struct status_word {
    const char *word;
    enum reason reason;
    const char *detail;
} status_words[] = {
    {"INVALID_ARGUMENT", REASON_REJECTED,
     "Google Chat refuses the message (INVALID_ARGUMENT); please report it, and set style to text meanwhile"},
    {"FAILED_PRECONDITION", REASON_REJECTED,
     "Google Chat does not take messages for this space (FAILED_PRECONDITION); look at the space's settings, "
     "or make a webhook in another one"},
    {"UNAUTHENTICATED", REASON_REJECTED,
     "Google Chat does not trust the webhook's URL (UNAUTHENTICATED); " COPY_AGAIN},
    {"PERMISSION_DENIED", REASON_REJECTED,
     "Google Chat does not let this webhook post (PERMISSION_DENIED); " COPY_AGAIN
     ", or ask an administrator whether webhooks are allowed"},
    {"NOT_FOUND", REASON_GONE,
     "the space or its webhook does not exist any more (NOT_FOUND); make a new webhook"},
    {"RESOURCE_EXHAUSTED", REASON_NONE, "Google Chat asks to slow down (RESOURCE_EXHAUSTED)"},
    {"ABORTED", REASON_NONE, "Google Chat has an error of its own (ABORTED)"},
    {"CANCELLED", REASON_NONE, "Google Chat has an error of its own (CANCELLED)"},
    {"DEADLINE_EXCEEDED", REASON_NONE, "Google Chat has an error of its own (DEADLINE_EXCEEDED)"},
    {"INTERNAL", REASON_NONE, "Google Chat has an error of its own (INTERNAL)"},
    {"UNAVAILABLE", REASON_NONE, "Google Chat has an error of its own (UNAVAILABLE)"},
    {"UNKNOWN", REASON_NONE, "Google Chat has an error of its own (UNKNOWN)"},
};

/* A key that is none is an invalid argument too, and google.rpc.ErrorInfo says so. */
static const struct status_word invalid_key = {
    NULL, REASON_REJECTED,
    "Google Chat does not know the key in the webhook's URL (API_KEY_INVALID); " COPY_AGAIN};

static const char *text_of(struct json_object *object, const char *key)
{
    struct json_object *value = json_get(object, key);
    return json_is_text(value) ? json_object_get_string(value) : "";
}

static const struct status_word *find_word(const char *word)
{
    for (size_t i = 0; i < sizeof status_words / sizeof status_words[0]; i++)
        if (strcmp(status_words[i].word, word) == 0)
            return &status_words[i];
    return NULL;
}

/* What google.rpc says in the details of an error. */
struct details {
    bool invalid_key;
    double delay; /* seconds that it asks to wait; 0: none */
};

/* A google.protobuf.Duration in JSON is a number of seconds with an s behind it. */
static double duration_of(const char *text, int64_t now_us)
{
    size_t n = strlen(text);
    return n > 1 && text[n - 1] == 's' ? http_time_retry_after(text, n - 1, now_us) : 0;
}

static struct details read_details(struct json_object *error, int64_t now_us)
{
    struct details out = {.delay = 0};
    struct json_object *list = json_get(error, "details");
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        double delay = duration_of(text_of(one, "retryDelay"), now_us);
        out.delay = delay > out.delay ? delay : out.delay;
        out.invalid_key = out.invalid_key || strcmp(text_of(one, "reason"), "API_KEY_INVALID") == 0;
    }
    return out;
}

static struct verdict verdict_from_word(const struct dest_response *r, const struct status_word *word)
{
    return (struct verdict){.kind = word->reason == REASON_NONE ? VERDICT_RETRY : VERDICT_REJECTED,
                            .reason = word->reason,
                            .error = dest_answer_is_success(r) ? ERROR_NOT_ACCEPTED : ERROR_HTTP_STATUS,
                            .not_before = word->reason == REASON_NONE ? r->retry_after : 0,
                            .detail = word->detail};
}

static struct verdict verdict_without_word(const struct dest_response *r)
{
    if (r->status == 404)
        return verdict_from_word(r, find_word("NOT_FOUND"));
    if (!dest_answer_is_success(r))
        return verdict_from_status(r);
    return (struct verdict){.kind = VERDICT_REJECTED,
                            .reason = REASON_REJECTED,
                            .error = ERROR_NOT_ACCEPTED,
                            .detail = "the answer is not Google Chat's; set webhook_url to the URL of a "
                                      "space's webhook, and look for a proxy that answers in its place"};
}

/* An answer with an error, or that is no JSON object. */
static struct verdict judge_error(const struct dest_response *r, struct json_object *error)
{
    struct details details = read_details(error, r->received_us);
    const struct status_word *word = details.invalid_key ? &invalid_key : find_word(text_of(error, "status"));
    bool too_many = r->status == 429;
    struct verdict v = word && !too_many ? verdict_from_word(r, word) : verdict_without_word(r);
    if (v.kind == VERDICT_RETRY && details.delay > v.not_before)
        v.not_before = details.delay;
    return v;
}

struct verdict google_chat_judge(const struct dest_response *r)
{
    if (r->error != ERROR_NONE)
        return verdict_from_status(r);
    struct json_object *root = dest_answer_json(r);
    struct json_object *error = json_get(root, "error");
    /* The message may be longer than what was read of it. */
    bool is_message = json_object_is_type(root, json_type_object) || (r->truncated && r->body[0] == '{');
    struct verdict v = dest_answer_is_success(r) && is_message && !error
                           ? (struct verdict){.kind = VERDICT_DELIVERED}
                           : judge_error(r, error);
    json_object_put(root);
    return v;
}

/* ---- the conversation ---- */

static enum dest_next google_chat_next(struct conversation *c, const struct dest_response *last,
                                       struct dest_request *out)
{
    const struct google_chat_config *config = c->config;
    const char *url = !c->is_test && c->job_count == 1 && event_is_about_finding(c->jobs[0].event->type)
                          ? config->in_thread
                          : config->url;
    return dest_one_request(c, last, out, url, config->style, google_chat_body_build, google_chat_judge);
}

const struct dest dest_google_chat = {
    .kind = "google_chat",
    .title = "Google Chat",
    .placeholder = "{\"webhook_url\":\"https://chat.googleapis.com/v1/spaces/PLACEHOLDER/"
                   "messages?key=PLACEHOLDER&token=PLACEHOLDER\"}",
    .repeat_hurts = true,
    .digests = true,
    .together_max = DEST_DIGEST_MAX,
    .settings = settings,
    .config_parse = google_chat_config_parse,
    .next = google_chat_next,
};
