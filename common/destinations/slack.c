/*
 * slack - one message per event into a channel, through an incoming webhook
 *
 * A conversation of one request. The URL is the credential: it stands in the request and nowhere else. What
 * Slack has to say it says in the body, as a bare word, and the words are judged before the status, because
 * the placement of most of them is not written down anywhere (api.slack.com/changelog
 * 2016-05-17-changes-to-errors-for-incoming-webhooks names six). There is no idempotency key, no edit and no
 * id of a message, so that a repeat shows twice: an answer that may mean "shown" is not followed by another.
 */
#include "common/destinations/slack.h"

#include <string.h>

#include "common/base/json.h"

enum { WORD_MAX = 64 };

/* ---- settings ---- */

static const struct dest_setting settings[] = {
    DEST_SETTING_WEBHOOK_URL("The URL of an incoming webhook of the channel.",
                             "https://hooks.slack.com/services/T0/B0/x"),
    DEST_SETTING_STYLE,
    {.key = NULL},
};

static const void *slack_config_parse(struct arena *arena, const char *json, size_t size,
                                      struct dest_config_error *error)
{
    struct slack_config *config = arena_alloc(arena, sizeof *config);
    struct json_object *root = dest_config_read(json, size, error);
    if (!root)
        return NULL;
    config->url = dest_config_url(arena, root, "webhook_url", "the incoming webhook's", error);
    bool good = config->url && dest_config_style(root, &config->style, error);
    if (good && !dest_config_host_is(config->url, "hooks.slack.com") &&
        !dest_config_host_is(config->url, "hooks.slack-gov.com"))
        error->advice = "webhook_url does not lead to Slack (hooks.slack.com); that is right for a server "
                        "that speaks its format, such as Mattermost";
    json_object_put(root);
    return good ? config : NULL;
}

/* ---- answers ---- */

/* REASON_NONE: tried again. Words of the Web API follow those of incoming webhooks. */
static const struct answer_word {
    const char *word;
    enum reason reason;
    const char *detail;
} answer_words[] = {
    {"invalid_payload", REASON_REJECTED,
     "Slack cannot read the message (invalid_payload); please report it, and set style to text meanwhile"},
    {"invalid_blocks", REASON_REJECTED,
     "Slack refuses the message's layout (invalid_blocks); please report it, and set style to text "
     "meanwhile"},
    {"invalid_attachments", REASON_REJECTED,
     "Slack refuses the message's layout (invalid_attachments); please report it, and set style to text "
     "meanwhile"},
    {"too_many_attachments", REASON_REJECTED,
     "Slack refuses the message's attachments (too_many_attachments); please report it, and set style to "
     "text meanwhile"},
    {"no_text", REASON_REJECTED,
     "Slack finds no text in the message (no_text); please report it, and set style to text meanwhile"},
    {"msg_too_long", REASON_REJECTED,
     "Slack finds the message too long (msg_too_long); please report it, and set style to text meanwhile"},
    {"user_not_found", REASON_REJECTED,
     "the webhook posts to a person whom Slack does not know any more (user_not_found); make a new incoming "
     "webhook for a channel"},
    {"action_prohibited", REASON_REJECTED,
     "an administrator of the Slack workspace restricts what apps may post (action_prohibited); ask for an "
     "exception, or post to another channel"},
    {"posting_to_general_channel_denied", REASON_REJECTED,
     "the Slack workspace lets only some people post to its general channel "
     "(posting_to_general_channel_denied); ask an administrator, or post to another channel"},
    {"invalid_token", REASON_REJECTED,
     "the webhook's URL is not valid any more or not complete (invalid_token); copy it again from the Slack "
     "app's page"},
    {"team_disabled", REASON_REJECTED,
     "the Slack workspace is disabled (team_disabled); its owner has to bring it back"},
    {"channel_not_found", REASON_GONE,
     "the webhook's channel does not exist any more (channel_not_found); make a new incoming webhook"},
    {"channel_is_archived", REASON_GONE,
     "the webhook's channel is archived (channel_is_archived); unarchive it, or make a new incoming webhook"},
    {"no_service", REASON_GONE, "the incoming webhook was removed or disabled (no_service); make a new one"},
    {"no_service_id", REASON_GONE,
     "Slack does not know this incoming webhook (no_service_id); copy its URL again, or make a new one"},
    {"no_active_hooks", REASON_GONE,
     "the incoming webhook was removed or disabled (no_active_hooks); make a new one"},
    {"no_team", REASON_GONE,
     "Slack does not know the workspace in the webhook's URL (no_team); copy the URL again, or make a new "
     "incoming webhook"},
    {"rollup_error", REASON_NONE, "Slack has an error of its own (rollup_error)"},
    {"rate_limited", REASON_NONE, "Slack asks to slow down (rate_limited)"},
    {"ratelimited", REASON_NONE, "Slack asks to slow down (ratelimited)"},
    {"internal_error", REASON_NONE, "Slack has an error of its own (internal_error)"},
    {"fatal_error", REASON_NONE, "Slack has an error of its own (fatal_error)"},
    {"service_unavailable", REASON_NONE, "Slack has an error of its own (service_unavailable)"},
};

static const struct answer_word *find_word(const char *word, size_t n)
{
    for (size_t i = 0; i < sizeof answer_words / sizeof answer_words[0]; i++)
        if (strlen(answer_words[i].word) == n && memcmp(answer_words[i].word, word, n) == 0)
            return &answer_words[i];
    return NULL;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The body without white space around it. */
static const struct answer_word *bare_word(const struct dest_response *r)
{
    const char *text = r->body;
    size_t n = r->body_size;
    while (n > 0 && is_space(text[n - 1]))
        n--;
    while (n > 0 && is_space(*text)) {
        text++;
        n--;
    }
    return n <= WORD_MAX ? find_word(text, n) : NULL;
}

/* {"ok":false,"error":WORD}, as the Web API answers. *IS_WEB_API says whether the body has that form. */
static const struct answer_word *web_api_word(const struct dest_response *r, bool *is_web_api)
{
    struct json_object *root = dest_answer_json(r);
    struct json_object *error = json_get(root, "error");
    *is_web_api = json_object_is_type(json_get(root, "ok"), json_type_boolean);
    const struct answer_word *found = NULL;
    if (*is_web_api && json_is_text(error))
        found = find_word(json_object_get_string(error), (size_t)json_object_get_string_len(error));
    json_object_put(root);
    return found;
}

static struct verdict verdict_from_word(const struct dest_response *r, const struct answer_word *word)
{
    struct verdict v = {.error = dest_answer_is_success(r) ? ERROR_NOT_ACCEPTED : ERROR_HTTP_STATUS,
                        .detail = word->detail};
    v.kind = word->reason == REASON_NONE ? VERDICT_RETRY : VERDICT_REJECTED;
    v.reason = word->reason;
    v.not_before = v.kind == VERDICT_RETRY ? r->retry_after : 0;
    return v;
}

struct verdict slack_judge(const struct dest_response *r)
{
    bool is_web_api = false;
    if (r->error != ERROR_NONE || r->status == 429)
        return verdict_from_status(r);
    if (r->status == 200 && !r->truncated && r->body_size == 2 && memcmp(r->body, "ok", 2) == 0)
        return (struct verdict){.kind = VERDICT_DELIVERED};
    const struct answer_word *word = bare_word(r);
    if (!word)
        word = web_api_word(r, &is_web_api);
    if (word)
        return verdict_from_word(r, word);
    if (!dest_answer_is_success(r))
        return verdict_from_status(r);
    return (struct verdict){
        .kind = VERDICT_REJECTED,
        .reason = REASON_REJECTED,
        .error = ERROR_NOT_ACCEPTED,
        .detail = is_web_api ? "the URL is one of Slack's Web API; set webhook_url to an incoming webhook's"
                             : "the answer is not Slack's \"ok\"; set webhook_url to the URL of an incoming "
                               "webhook, and look for a proxy that answers in its place"};
}

/* ---- the conversation ---- */

static enum dest_next slack_next(struct conversation *c, const struct dest_response *last,
                                 struct dest_request *out)
{
    const struct slack_config *config = c->config;
    return dest_one_request(c, last, out, config->url, config->style, slack_body_build, slack_judge);
}

const struct dest dest_slack = {
    .kind = "slack",
    .title = "Slack",
    .placeholder = "{\"webhook_url\":\"https://hooks.slack.com/services/T00000000/B00000000/PLACEHOLDER\"}",
    .repeat_hurts = true,
    .digests = true,
    .together_max = DEST_DIGEST_MAX,
    .settings = settings,
    .config_parse = slack_config_parse,
    .next = slack_next,
};
