/*
 * teams - one message per event into a Microsoft Teams channel
 *
 * A conversation of one request, to the trigger of a workflow (Power Automate) or, in style "connector", to a server
 * that is compatible with the Office 365 connectors, which Microsoft switched off in May 2026. The URL is the credential:
 * it stands in the request and nowhere else. A workflow says only that it has begun; whether its card can be posted is
 * in its run history, so the card must be right. There is no idempotency key, so that a repeat shows twice.
 */
#include "common/destinations/teams.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"

/* ---- settings ---- */

static bool host_is_one_of(const char *url, const char *const *hosts)
{
    for (; *hosts; hosts++)
        if (dest_config_host_is(url, *hosts))
            return true;
    return false;
}

/* devblogs.microsoft.com/microsoft365dev/retirement-of-office-365-connectors-within-microsoft-teams */
static bool is_retired(const char *url)
{
    static const char *const hosts[] = {".webhook.office.com", "webhook.office.com", "outlook.office.com",
                                        "outlook.office365.com", NULL};
    return host_is_one_of(url, hosts);
}

/* The older and the newer host of triggers, and those of the national clouds. */
static bool is_workflow(const char *url)
{
    static const char *const hosts[] = {".logic.azure.com",
                                        ".logic.azure.us",
                                        ".logic.azure.cn",
                                        ".api.powerplatform.com",
                                        ".powerplatform.us",
                                        ".powerplatform.microsoft.us",
                                        NULL};
    return host_is_one_of(url, hosts);
}

static bool read_style(struct json_object *root, enum teams_style *out, struct dest_config_error *error)
{
    enum dest_style style = DEST_STYLE_CARD;
    size_t n = 0;
    const char *text = dest_config_text(json_get(root, "style"), &n);
    if (text && strcmp(text, "connector") == 0) {
        *out = TEAMS_CONNECTOR;
        return true;
    }
    if (!dest_config_style(root, &style, error))
        return dest_config_fail(error,
                                "style must be \"card\", \"text\" or \"connector\"; leave it out for card");
    *out = (enum teams_style)style;
    return true;
}

static bool check_host(const struct teams_config *config, struct dest_config_error *error)
{
    if (is_retired(config->url))
        return dest_config_fail(
            error,
            "webhook_url leads to an Office 365 connector, and Microsoft has switched these off; make a "
            "workflow in Teams (Post to a channel when a webhook request is received) and use its URL");
    if (is_workflow(config->url) && config->style == TEAMS_CONNECTOR)
        return dest_config_fail(error, "webhook_url leads to a workflow, which does not answer as connectors "
                                       "do; leave style out, or set it to text");
    if (is_workflow(config->url) && !strstr(config->url, "sig="))
        error->advice = "webhook_url has no sig, without which a workflow refuses requests; let Anyone "
                        "trigger the flow, and copy its whole URL";
    else if (!is_workflow(config->url) && config->style != TEAMS_CONNECTOR)
        error->advice =
            "webhook_url does not lead to a workflow of Microsoft's; that is right for a server that takes "
            "Adaptive Cards as they do. For one that takes MessageCards set style to connector";
    return true;
}

static const struct dest_setting settings[] = {
    DEST_SETTING_WEBHOOK_URL("The URL of a workflow that posts to the channel.",
                             "https://x.logic.azure.com/workflows/w/triggers/manual/paths/invoke?sig=s"),
    {
        .key = "style",
        .form = SETTING_CHOICE,
        .value = "card",
        .choices = {"card", "text", "connector"},
        .help = "An Adaptive Card with the details, one line of text, or a MessageCard for servers that "
                "take those.",
        .example = "\"card\"",
    },
    {.key = NULL},
};

static const void *teams_config_parse(struct arena *arena, const char *json, size_t size,
                                      struct dest_config_error *error)
{
    struct teams_config *config = arena_alloc(arena, sizeof *config);
    struct json_object *root = dest_config_read(json, size, error);
    if (!root)
        return NULL;
    config->url = dest_config_url(arena, root, "webhook_url", "the workflow's", error);
    bool good = config->url && read_style(root, &config->style, error) && check_host(config, error);
    json_object_put(root);
    return good ? config : NULL;
}

/* ---- answers ---- */

static struct verdict rejected(const struct dest_response *r, enum reason reason, const char *detail)
{
    return (struct verdict){.kind = VERDICT_REJECTED,
                            .reason = reason,
                            .error = dest_answer_is_success(r) ? ERROR_NOT_ACCEPTED : ERROR_HTTP_STATUS,
                            .detail = detail};
}

#define COPY_AGAIN                                                                                           \
    "set who can trigger the flow to Anyone, save it, and copy its URL again as a whole, with its sig"

/* Codes of the trigger of a workflow, as {"error":{"code":…}} or {"code":…}. */
static const struct trigger_code {
    const char *code;
    enum reason reason;
    const char *detail;
} trigger_codes[] = {
    {"WorkflowTriggerIsNotEnabled", REASON_GONE,
     "the workflow is turned off or was deleted (WorkflowTriggerIsNotEnabled); turn it on, or make a new "
     "one"},
    {"WorkflowNotFound", REASON_GONE,
     "the workflow does not exist any more (WorkflowNotFound); make a new one"},
    {"WorkflowTriggerNotFound", REASON_GONE,
     "the workflow has no such trigger any more (WorkflowTriggerNotFound); copy its URL again, or make a new "
     "one"},
    {"DirectApiAuthorizationRequired", REASON_REJECTED,
     "the workflow wants a sign-in (DirectApiAuthorizationRequired); " COPY_AGAIN},
    {"MisMatchingOAuthClaims", REASON_REJECTED,
     "the workflow wants a sign-in (MisMatchingOAuthClaims); " COPY_AGAIN},
    {"TriggerInputSchemaMismatch", REASON_REJECTED,
     "the workflow's trigger has a schema that the message does not match (TriggerInputSchemaMismatch); "
     "remove the schema, or make the workflow from its template again"},
    {"InvalidRequestContent", REASON_REJECTED,
     "the workflow cannot read the message (InvalidRequestContent); please report it"},
};

static const struct trigger_code *find_code(const struct dest_response *r)
{
    const struct trigger_code *found = NULL;
    struct json_object *root = dest_answer_json(r);
    struct json_object *error = json_get(root, "error");
    struct json_object *code = json_get(error ? error : root, "code");
    const char *text = json_is_text(code) ? json_object_get_string(code) : "";
    for (size_t i = 0; i < sizeof trigger_codes / sizeof trigger_codes[0] && !found; i++)
        if (strcmp(trigger_codes[i].code, text) == 0)
            found = &trigger_codes[i];
    json_object_put(root);
    return found;
}

/* The status in "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with
 * ContextId …", a connector's way to fail with 200; 0: another failure of that kind, -1: none. */
static long failure_in(const struct dest_response *r)
{
    static const char failed[] = "Webhook message delivery failed", status[] = "HTTP error ";
    if (!strstr(r->body, failed))
        return -1;
    const char *at = strstr(r->body, status);
    return at ? strtol(at + sizeof status - 1, NULL, 10) : 0;
}

/* What a failure's status means to a person; *OUT is filled unless the status alone says enough. */
static bool judge_failure(const struct dest_response *r, long status, struct verdict *out)
{
    switch (status) {
    case 400:
        *out = rejected(r, REASON_REJECTED, "Teams cannot read the message; please report it");
        return true;
    case 401:
        *out = rejected(r, REASON_REJECTED, "the workflow does not trust this URL; " COPY_AGAIN);
        return true;
    case 403:
        *out = rejected(r, REASON_REJECTED,
                        "the request is forbidden; ask an administrator whether a data policy or a list of "
                        "allowed addresses stops the workflow");
        return true;
    case 404:
    case 410:
        *out = rejected(
            r, REASON_GONE,
            "the workflow or the channel does not exist any more; make a new workflow, and use its URL");
        return true;
    case 413:
        *out = rejected(r, REASON_REJECTED, "Teams finds the message too large; please report it");
        return true;
    default:
        return false;
    }
}

/* A failure that came as 200. */
static struct verdict verdict_from_failure(const struct dest_response *r, long status)
{
    struct verdict v;
    if (judge_failure(r, status, &v))
        return v;
    if (status == 429 || status >= 500)
        return (struct verdict){.kind = VERDICT_RETRY,
                                .error = ERROR_NOT_ACCEPTED,
                                .not_before = r->retry_after,
                                .detail = status == 429 ? "Teams asks to slow down"
                                                        : "Teams has an error of its own"};
    return rejected(r, REASON_REJECTED, "Teams could not take the message, and does not say why");
}

static struct verdict verdict_from_error_status(const struct dest_response *r)
{
    struct verdict v;
    if (r->error == ERROR_NONE && judge_failure(r, r->status, &v))
        return v;
    return verdict_from_status(r);
}

static bool is_page(const struct dest_response *r)
{
    return r->body[strspn(r->body, " \t\r\n")] == '<';
}

struct verdict teams_workflow_judge(const struct dest_response *r)
{
    if (r->error != ERROR_NONE || r->status == 429)
        return verdict_from_status(r);
    if (r->status == 202)
        return (struct verdict){.kind = VERDICT_DELIVERED};
    if (dest_answer_is_success(r) && failure_in(r) >= 0)
        return verdict_from_failure(r, failure_in(r));
    if (dest_answer_is_success(r) && is_page(r))
        return rejected(r, REASON_REJECTED,
                        "the answer is a page, not a workflow's; set webhook_url to the URL of a workflow's "
                        "trigger, and look for a proxy that answers in its place");
    const struct trigger_code *code = dest_answer_is_success(r) ? NULL : find_code(r);
    return code ? rejected(r, code->reason, code->detail) : verdict_from_error_status(r);
}

struct verdict teams_connector_judge(const struct dest_response *r)
{
    if (r->error != ERROR_NONE || !dest_answer_is_success(r))
        return verdict_from_error_status(r);
    if (r->status == 200 && !r->truncated && r->body_size == 1 && r->body[0] == '1')
        return (struct verdict){.kind = VERDICT_DELIVERED};
    if (failure_in(r) >= 0)
        return verdict_from_failure(r, failure_in(r));
    return rejected(r, REASON_REJECTED,
                    "the answer is not a connector's 1; for a workflow leave style out, or look for a proxy "
                    "that answers in its place");
}

/* ---- the conversation ---- */

static enum dest_next teams_next(struct conversation *c, const struct dest_response *last,
                                 struct dest_request *out)
{
    const struct teams_config *config = c->config;
    bool connector = config->style == TEAMS_CONNECTOR;
    enum dest_next next = dest_one_request(c, last, out, config->url, config->style,
                                           connector ? teams_connector_build : teams_card_build,
                                           connector ? teams_connector_judge : teams_workflow_judge);
    struct verdict *v = &c->jobs[0].verdict;
    if (next == DEST_FINISHED && c->is_test && !connector && v->kind == VERDICT_DELIVERED)
        v->detail = "the workflow was started; look into the channel, or into the workflow's run history, "
                    "for whether it could post the message";
    return next;
}

const struct dest dest_teams = {
    .kind = "teams",
    .title = "Microsoft Teams",
    .placeholder = "{\"webhook_url\":\"https://placeholder.westeurope.logic.azure.com/workflows/0/triggers/"
                   "manual/paths/invoke?sig=PLACEHOLDER\"}",
    .repeat_hurts = true,
    .digests = true,
    .together_max = DEST_DIGEST_MAX,
    .settings = settings,
    .config_parse = teams_config_parse,
    .next = teams_next,
};
