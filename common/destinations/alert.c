/*
 * alert - which alert an event belongs to
 *
 * Pure. A pager puts what has the same name into one alert, so the name must be the same for everything that happens to a
 * finding, and no scanned system may choose it: what it says goes through a hash, together with the id of its target.
 */
#include "common/destinations/alert.h"

#include <stdio.h>
#include <string.h>

static void hash_to_key(const char *what, const struct uuid *id, const char *name, char out[ALERT_KEY_TEXT])
{
    static const char prefix[] = "pencheff-";
    unsigned char digest[SHA256_SIZE];
    const struct hash_part parts[] = {
        {what, strlen(what) + 1}, {id->bytes, sizeof id->bytes}, {name, strlen(name)}};
    hash_sha256_parts(parts, sizeof parts / sizeof parts[0], digest);
    memcpy(out, prefix, sizeof prefix - 1);
    hash_hex(digest, sizeof digest, out + sizeof prefix - 1);
}

void alert_key(const struct event *event, const struct facts *facts, char out[ALERT_KEY_TEXT])
{
    char row[UUID_TEXT];
    if (!event) {
        snprintf(out, ALERT_KEY_TEXT, "pencheff-test");
        return;
    }
    if (!event_is_about_finding(event->type)) {
        hash_to_key("scan", &facts->scan.id, event_type_name(event->type), out);
        return;
    }
    const char *name = facts->finding.pencheff_finding_id;
    uuid_format(&facts->finding.id, row);
    if (name && *name)
        hash_to_key("finding", &facts->target.id, name, out);
    else
        hash_to_key("row", &facts->target.id, row, out);
}

bool alert_is_over(const struct facts_finding *f)
{
    const char *status = f->verification_status ? f->verification_status : "";
    return f->suppressed || f->resolved_at || strcmp(status, "false_positive") == 0 ||
           strcmp(status, "true_negative") == 0;
}
