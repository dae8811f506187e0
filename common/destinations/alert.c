/*
 * alert - which alert an event belongs to
 *
 * Pure. A pager puts what has the same name into one alert, so the name must be the same for everything that happens to a
 * finding, and no scanned system may choose it: what it says goes through a hash, together with the id of its target. A scan
 * stores each finding in a row of its own, so what is the same weakness is known by what it says of itself.
 */
#include "common/destinations/alert.h"

#include <stdio.h>
#include <string.h>

/* Texts with their ends, so that none can pass for another's beginning. */
static void hash_parts(const struct hash_part *parts, size_t count, char out[SHA256_HEX])
{
    unsigned char digest[SHA256_SIZE];
    hash_sha256_parts(parts, count, digest);
    hash_hex(digest, sizeof digest, out);
}

static struct hash_part text_part(const char *text)
{
    const char *t = text ? text : "";
    return (struct hash_part){t, strlen(t) + 1};
}

static const char prefix[] = "pencheff-";

static void hash_finding(const struct facts *facts, char out[SHA256_HEX])
{
    const struct facts_finding *f = &facts->finding;
    if (facts->fingerprint) {
        snprintf(out, SHA256_HEX, "%s", facts->fingerprint);
        return;
    }
    const struct hash_part parts[] = {
        text_part("finding"),    {facts->target.id.bytes, sizeof facts->target.id.bytes},
        text_part(f->category),  text_part(f->endpoint),
        text_part(f->parameter), text_part(f->title),
    };
    hash_parts(parts, sizeof parts / sizeof parts[0], out);
}

void alert_fingerprint(const struct event *event, const struct facts *facts, char out[SHA256_HEX])
{
    const struct hash_part parts[] = {text_part("event"), text_part(event->id)};
    if (event_is_about_finding(event->type))
        hash_finding(facts, out);
    else
        hash_parts(parts, sizeof parts / sizeof parts[0], out);
}

void alert_marker(const struct event *event, const struct facts *facts, char out[ALERT_MARKER_TEXT])
{
    char fingerprint[SHA256_HEX];
    alert_fingerprint(event, facts, fingerprint);
    snprintf(out, ALERT_MARKER_TEXT, "pencheff%.32s", fingerprint);
}

void alert_key(const struct event *event, const struct facts *facts, char out[ALERT_KEY_TEXT])
{
    if (!event) {
        snprintf(out, ALERT_KEY_TEXT, "%stest", prefix);
        return;
    }
    memcpy(out, prefix, sizeof prefix - 1);
    const struct hash_part parts[] = {text_part("scan"),
                                      {facts->scan.id.bytes, sizeof facts->scan.id.bytes},
                                      text_part(event_type_name(event->type))};
    if (event_is_about_finding(event->type))
        hash_finding(facts, out + sizeof prefix - 1);
    else
        hash_parts(parts, sizeof parts / sizeof parts[0], out + sizeof prefix - 1);
}

bool alert_is_key(const char *key)
{
    if (!key || strncmp(key, prefix, sizeof prefix - 1) != 0)
        return false;
    const char *digits = key + sizeof prefix - 1;
    return strlen(digits) == SHA256_HEX - 1 && strspn(digits, "0123456789abcdef") == SHA256_HEX - 1;
}

const char *alert_key_kept(struct conversation *c)
{
    struct dest_reference *r = &c->reference;
    char key[ALERT_KEY_TEXT];
    if (r->known && alert_is_key(r->key))
        return r->key;
    if (r->known)
        *r = (struct dest_reference){.unsure = r->unsure, .unsure_since_us = r->unsure_since_us};
    alert_key(c->jobs[0].event, c->jobs[0].facts, key);
    return arena_strdup(c->arena, key);
}
