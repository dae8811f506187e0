/*
 * webhook - one signed POST per event, to any receiver
 *
 * A conversation of one request. Two signatures over the exact bytes of the body: X-Pencheff-Signature, the
 * live product's own (HMAC-SHA256 of the body, the secret's bytes as they are spelled), and Standard Webhooks
 * 1.0.0 (HMAC-SHA256 of "id.timestamp.body", the secret decoded where it starts with whsec_). Signatures and
 * timestamps are of this attempt; webhook-id and the body are the same at every attempt, so that a receiver
 * can tell a repeat. An event that came with a trace carries it on, under a span of each attempt's own. Pure: time and memory come with the conversation.
 */
#include "common/destinations/webhook.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/base/hash.h"

static const char *pencheff_signature(struct arena *arena, const struct webhook_config *config,
                                      const struct dest_request *request)
{
    static const char prefix[] = "sha256=";
    unsigned char mac[SHA256_SIZE];
    char *text = arena_alloc(arena, sizeof prefix + SHA256_HEX);
    hash_hmac_sha256(config->secret, config->secret_size, request->body, request->body_size, mac);
    memcpy(text, prefix, sizeof prefix);
    hash_hex(mac, sizeof mac, text + sizeof prefix - 1);
    return text;
}

static const char *standard_signature(struct arena *arena, const struct webhook_config *config,
                                      const char *id, const char *timestamp,
                                      const struct dest_request *request)
{
    unsigned char mac[SHA256_SIZE];
    const struct hash_part parts[] = {{id, strlen(id)},
                                      {".", 1},
                                      {timestamp, strlen(timestamp)},
                                      {".", 1},
                                      {request->body, request->body_size}};
    struct buf text;
    hash_hmac_sha256_parts(config->key, config->key_size, parts, sizeof parts / sizeof *parts, mac);
    buf_init(&text, 64);
    buf_add_text(&text, "v1,");
    base64_encode(BASE64_STANDARD, mac, sizeof mac, &text);
    const char *out = arena_text(arena, text.data, text.len);
    buf_free(&text);
    return out;
}

/* Every value is ours or was checked by webhook_config_parse, so none is refused. */
static void add_header(struct dest_request *request, const char *name, const char *value)
{
    check(dest_request_add_header(request, name, value));
}

static bool is_set(const struct webhook_config *config, const char *name)
{
    for (size_t i = 0; i < config->header_count; i++)
        if (strcasecmp(config->headers[i].name, name) == 0)
            return true;
    return false;
}

/*
 * The trace that the producer gave, with a parent that is this attempt's and nobody else's. None for a trace of our own making:
 * nobody has recorded that, and a receiver would take its flags for a decision not to record either.
 */
static void add_trace(const struct conversation *c, const struct webhook_config *config,
                      struct dest_request *request)
{
    const struct trace *trace = c->jobs[0].event ? &c->jobs[0].event->trace : NULL;
    unsigned char span[SHA256_SIZE];
    if (!trace || !trace->known || trace_is_made(trace) || is_set(config, TRACE_PARENT_HEADER))
        return;
    const char *attempt =
        arena_printf(c->arena, "%s.%d.%" PRId64, c->jobs[0].webhook_id, c->attempt, c->now_us);
    char *parent = arena_alloc(c->arena, TRACE_PARENT_TEXT);
    hash_sha256(attempt, strlen(attempt), span);
    trace_parent_format(trace, span, parent);
    add_header(request, TRACE_PARENT_HEADER, parent);
    if (trace->state && !is_set(config, TRACE_STATE_HEADER))
        add_header(request, TRACE_STATE_HEADER, trace->state);
}

static void add_headers(const struct conversation *c, const struct webhook_config *config,
                        struct dest_request *request)
{
    const char *id = c->jobs[0].webhook_id;
    const char *timestamp = arena_printf(c->arena, "%" PRId64, c->now_us / 1000000);
    add_header(request, "X-Pencheff-Timestamp", timestamp);
    add_header(request, "webhook-id", id);
    add_header(request, "webhook-timestamp", timestamp);
    if (config->secret) {
        add_header(request, "X-Pencheff-Signature", pencheff_signature(c->arena, config, request));
        add_header(request, "webhook-signature",
                   standard_signature(c->arena, config, id, timestamp, request));
    }
    add_trace(c, config, request);
    for (size_t i = 0; i < config->header_count; i++)
        add_header(request, config->headers[i].name, config->headers[i].value);
}

static enum dest_next webhook_next(struct conversation *c, const struct dest_response *last,
                                   struct dest_request *out)
{
    const struct webhook_config *config = c->config;
    enum dest_next next =
        dest_one_request(c, last, out, config->url, 0, webhook_body_build, verdict_from_status);
    if (next == DEST_SEND)
        add_headers(c, config, out);
    return next;
}

const struct dest dest_webhook = {
    .kind = "webhook",
    .title = "Signed webhook",
    .placeholder = "{\"webhook_url\":\"https://receiver.example/pencheff\",\"hmac_secret\":\"placeholder\"}",
    .repeat_hurts = false,
    .settings = webhook_settings,
    .config_parse = webhook_config_parse,
    .next = webhook_next,
};
