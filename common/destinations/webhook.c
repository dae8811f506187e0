/*
 * webhook - one signed POST per event, to any receiver
 *
 * A conversation of one request. Two signatures over the exact bytes of the body: X-Pencheff-Signature, the
 * live product's own (HMAC-SHA256 of the body, the secret's bytes as they are spelled), and Standard Webhooks
 * 1.0.0 (HMAC-SHA256 of "id.timestamp.body", the secret decoded where it starts with whsec_). Signatures and
 * timestamps are of this attempt; webhook-id and the body are the same at every attempt, so that a receiver
 * can tell a repeat. Pure: time and memory come with the conversation.
 */
#include "common/destinations/webhook.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/base64.h"
#include "common/base/check.h"
#include "common/base/hash.h"

enum { STEP_SENT = 1 };

/* One layout for all. */
static const struct buf *cached_body(const struct conversation *c)
{
    struct dest_body_cache *cache = c->cache;
    if (!cache->layouts[0].built) {
        webhook_body_build(c->jobs[0].event, c->jobs[0].facts, &cache->layouts[0].body);
        cache->layouts[0].built = true;
    }
    return &cache->layouts[0].body;
}

static const char *pencheff_signature(struct arena *arena, const struct webhook_config *config,
                                      const struct buf *body)
{
    static const char prefix[] = "sha256=";
    unsigned char mac[SHA256_SIZE];
    char *text = arena_alloc(arena, sizeof prefix + SHA256_HEX);
    hash_hmac_sha256(config->secret, config->secret_size, body->data, body->len, mac);
    memcpy(text, prefix, sizeof prefix);
    hash_hex(mac, sizeof mac, text + sizeof prefix - 1);
    return text;
}

static const char *standard_signature(struct arena *arena, const struct webhook_config *config,
                                      const char *id, const char *timestamp, const struct buf *body)
{
    unsigned char mac[SHA256_SIZE];
    const struct hash_part parts[] = {
        {id, strlen(id)}, {".", 1}, {timestamp, strlen(timestamp)}, {".", 1}, {body->data, body->len}};
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

static void build_request(const struct conversation *c, const struct webhook_config *config,
                          const struct buf *body, struct dest_request *out)
{
    const char *id = c->jobs[0].webhook_id;
    const char *timestamp = arena_printf(c->arena, "%" PRId64, c->now_us / 1000000);
    dest_request_post_json(out, config->url, body);
    add_header(out, "X-Pencheff-Timestamp", timestamp);
    add_header(out, "webhook-id", id);
    add_header(out, "webhook-timestamp", timestamp);
    if (config->secret) {
        add_header(out, "X-Pencheff-Signature", pencheff_signature(c->arena, config, body));
        add_header(out, "webhook-signature", standard_signature(c->arena, config, id, timestamp, body));
    }
    for (size_t i = 0; i < config->header_count; i++)
        add_header(out, config->headers[i].name, config->headers[i].value);
}

static enum dest_next webhook_next(struct conversation *c, const struct dest_response *last,
                                   struct dest_request *out)
{
    check(c->job_count == 1 && c->cache != NULL);
    if (last) {
        check(c->step == STEP_SENT);
        c->jobs[0].verdict = verdict_from_status(last);
        return DEST_FINISHED;
    }
    const struct buf *body = cached_body(c);
    if (body->overflow) {
        c->jobs[0].verdict = verdict_too_long();
        return DEST_FINISHED;
    }
    build_request(c, c->config, body, out);
    c->step = STEP_SENT;
    return DEST_SEND;
}

const struct dest dest_webhook = {
    .kind = "webhook",
    .title = "Signed webhook",
    .repeat_hurts = false,
    .config_parse = webhook_config_parse,
    .next = webhook_next,
};
