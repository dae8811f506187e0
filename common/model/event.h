#ifndef NOTIFY_MODEL_EVENT_H
#define NOTIFY_MODEL_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/hash.h"
#include "common/base/uuid.h"
#include "common/model/trace.h"
#include "common/model/words.h"

enum {
    EVENT_ID_MAX = 200,    /* bytes; contract section 4 */
    EVENT_TEXT_MAX = 4096, /* bytes of change_summary and of error that are kept; architecture section 5 */
};

/* What a producer said. Texts are valid UTF-8 without NUL, borrowed from the message's arena; NULL: absent.
 */
struct event {
    const char *id;
    enum event_type type;
    bool expand; /* a task notify_scan_findings: stands for events of its own; `type` is SCAN_DONE */
    struct uuid scan_id;
    bool has_finding;
    struct uuid finding_id;
    const char *change_summary;
    const char *error;
    unsigned char content_hash[SHA256_SIZE]; /* over type, scan, finding, change_summary, error; not the id */
    int64_t first_seen_us;                   /* wall clock of the first time we read it */
    struct trace trace;                      /* as its producer or its row says; see event_trace */
};

/* The trace that EVENT belongs to: the one that was given, or one that follows from its id. Not known when it has no id either. */
struct trace event_trace(const struct event *event);
/* The id of that trace, written into OUT; NULL when it is not known, or EVENT is NULL. */
const char *event_trace_text(const struct event *event, char out[TRACE_ID_TEXT]);
/* Its id; NULL when it has none, or EVENT is NULL. */
const char *event_log_id(const struct event *event);
/* What a line of the log says of EVENT (NULL: nothing), a pointer without side effects. Nothing is worked out for a line that is not written. */
#define LOG_EVENT(event)                                                                                     \
    LOG_TEXT("id", event_log_id(event)),                                                                     \
        LOG_TEXT("trace", event_trace_text((event), (char[TRACE_ID_TEXT]){0}))

/* The ledger's word for what it is: the event's type, or notify_scan_findings. Static text. */
const char *event_ledger_word(const struct event *event);
/* The other way round: sets `type` and `expand`. False when WORD is none of these. */
bool event_ledger_word_parse(struct event *event, const char *word);

/* Fill content_hash from the other members. Equal content gives equal hashes in every message form. */
void event_hash_content(struct event *event);

/* Characters of description and remediation that are read. A macro, because SQL holds it too. */
#define FACTS_TEXT_MAX 16384

/*
 * What the database knows about it, as it is now. Texts are valid UTF-8, borrowed from the message's arena;
 * NULL for SQL NULL. Numbers that can be NULL carry a has_ flag. Lengths are bounded by the columns and, for
 * description and remediation, by the look-up (FACTS_TEXT_MAX characters).
 */
struct facts_scan {
    struct uuid id;
    struct uuid workspace_id;
    const char *status;
    const char *profile;
    const char *grade;
    bool has_score;
    long score;
    const char *summary_json; /* an object: severity name to count; NULL when it is absent or no object */
    const char *error;
};

struct facts_target {
    struct uuid id;
    const char *name;
    const char *base_url;
    const char *kind;
};

struct facts_finding {
    struct uuid id;
    const char *pencheff_finding_id;
    const char *title;
    const char *severity_text;
    enum severity severity; /* unknown or missing text counts as info */
    const char *category;
    const char *owasp_category;
    const char *cwe_id;
    bool has_cvss_score;
    double cvss_score;
    const char *cvss_vector;
    const char *endpoint;
    const char *parameter;
    const char *description;
    const char *remediation;
    const char *verification_status;
    bool suppressed;
    const char *suppress_reason;
    bool has_epss;
    double epss;
    bool kev;
    bool has_risk_score;
    double risk_score;
    const char *reachability;
    const char *resolved_at; /* ISO 8601, UTC */
    const char *created_at;
};

/* Many new findings of a scan, told together. */
enum { DIGEST_WORST_MAX = 5 };

struct facts_digest {
    size_t count;
    int64_t counts[SEVERITY_COUNT];
    const struct facts_finding *worst[DIGEST_WORST_MAX]; /* by severity, then CVSS */
    size_t worst_count;
};

struct facts {
    struct facts_scan scan;
    struct facts_target target;
    bool has_finding;
    struct facts_finding finding;
    const struct facts_digest *digest; /* NULL: of one event */
    const char *
        fingerprint; /* of the finding when it was told first, which it keeps; NULL: that of what it says now */
};

/* Whether ID may be one: 1 to EVENT_ID_MAX bytes of UTF-8. */
bool event_id_is_good(const char *id);
/* True for finding_new and finding_changed: the severity filter applies, and a finding is needed. */
bool event_is_about_finding(enum event_type type);

#endif
