#ifndef NOTIFY_MODEL_LISTS_H
#define NOTIFY_MODEL_LISTS_H

/*
 * The words of the product, each list once, with its help. Enums, names, `notifyctl --list`, documentation
 * and checks are generated from these tables. NONE stands first in its list and is no word for people.
 */

/* X(ENUM, word, help) */
#define EVENT_TYPE_LIST(X)                                                                                   \
    X(SCAN_STARTED, "scan_started", "a scan was accepted and runs")                                          \
    X(SCAN_DONE, "scan_done", "a scan finished")                                                             \
    X(SCAN_FAILED, "scan_failed", "a scan crashed")                                                          \
    X(FINDING_NEW, "finding_new", "a finding was stored at the end of a scan")                               \
    X(FINDING_CHANGED, "finding_changed",                                                                    \
      "an analyst verified, suppressed, unsuppressed or rechecked a finding")

#define SEVERITY_LIST(X)                                                                                     \
    X(INFO, "info", "everything")                                                                            \
    X(LOW, "low", "low and above")                                                                           \
    X(MEDIUM, "medium", "medium and above")                                                                  \
    X(HIGH, "high", "high and critical")                                                                     \
    X(CRITICAL, "critical", "critical only")

/* What one integration's filters said; stages in the order in which they are asked. */
#define MATCH_LIST(X)                                                                                        \
    X(FIRES, "fires", "all filters passed")                                                                  \
    X(DISABLED, "disabled", "the integration is disabled")                                                   \
    X(TARGET, "target", "the scan's target is not among its target_ids")                                     \
    X(EVENT, "event", "it has not subscribed to this event type")                                            \
    X(TARGET_KIND, "target_kind", "the target's kind is not among its target_kinds")                         \
    X(SEVERITY, "severity", "the finding's severity is below its severity_filter")

#define EVENT_STATE_LIST(X)                                                                                  \
    X(OPEN, "open",                                                                                          \
      "not every matching integration has its delivery row yet, or not every finding its event")             \
    X(SCHEDULED, "scheduled", "its eta lies in the future; a message waits on the retry ladder")             \
    X(EXPANDED, "expanded", "a task notify_scan_findings: turned into one event per finding")                \
    X(DONE, "done", "every matching integration has a delivery row")                                         \
    X(DEAD, "dead", "dead-lettered before it reached any integration")                                       \
    X(EXPIRED, "expired", "its expiry time had passed before the first attempt")

#define DELIVERY_STATE_LIST(X)                                                                               \
    X(SENDING, "sending", "an attempt is being made by the row's owner until its lease ends")                \
    X(WAITING, "waiting", "failed; the next attempt is due at due_at")                                       \
    X(DEFERRED, "deferred",                                                                                  \
      "held back by its integration's rate, window or circuit; waits in the mailbox, and no attempt was "    \
      "used")                                                                                                \
    X(DELIVERED, "delivered", "the destination accepted it")                                                 \
    X(CANCELED, "canceled", "the integration was deleted or disabled before it could be delivered")          \
    X(DEAD, "dead", "given up, with a reason")                                                               \
    X(DROPPED, "dropped", "a person dropped it after it was dead")

/* How an integration fares; the first that is so. */
#define HEALTH_STATE_LIST(X)                                                                                 \
    X(DISABLED, "disabled", "nothing is sent to it")                                                         \
    X(BROKEN, "broken", "its destination said that it is gone; nothing is sent but a probe now and then")    \
    X(CIRCUIT_OPEN, "circuit_open",                                                                          \
      "its requests failed; its deliveries wait while one at a time probes it")                              \
    X(FAILING, "failing", "nothing succeeded since the last failure")                                        \
    X(HEALTHY, "healthy", "what was sent last was taken")                                                    \
    X(UNKNOWN, "unknown", "nothing was sent yet")

/* What shadow mode found: of an event, then of an integration that it matched. */
#define SHADOW_VERDICT_LIST(X)                                                                               \
    X(MATCHED, "matched", "an event that integrations want; each has a row of its own")                      \
    X(FILTERED, "filtered", "an event that no integration wants")                                            \
    X(EXPANDED, "expanded", "a task notify_scan_findings: the scan and each finding have rows of their own") \
    X(EXPIRED, "expired", "an event whose expiry time had passed")                                           \
    X(NOT_FOUND, "not_found",                                                                                \
      "an event whose scan, target or finding was not in the database, also not in retry.not_found")         \
    X(REJECTED, "rejected", "a message that is no acceptable event; reason says why")                        \
    X(WOULD_SEND, "would_send", "a request would be sent; nobody knows what would be answered")              \
    X(NOTHING_TO_DO, "nothing_to_do", "the destination has nothing to tell of this event")                   \
    X(WOULD_FAIL, "would_fail", "no request could be made; reason says why")

/* Why a message or a delivery is dead. X(ENUM, word, what it means and what to do) */
#define REASON_LIST(X)                                                                                       \
    X(NONE, "none", "not dead")                                                                              \
    X(BAD_BODY, "bad_body", "the body is not valid UTF-8 JSON; look at the producer's serializer")           \
    X(BAD_CONTENT_TYPE, "bad_content_type",                                                                  \
      "only application/json in UTF-8 is accepted; set task_serializer to json")                             \
    X(BAD_COMPRESSION, "bad_compression", "the body does not decompress, or not by zlib; use gzip or none")  \
    X(TOO_LARGE, "too_large",                                                                                \
      "the message or its decompressed body is larger than limits.message_bytes, or it has more than 256 "   \
      "headers or 256 KiB of them")                                                                          \
    X(UNKNOWN_TASK, "unknown_task",                                                                          \
      "the task's name is in neither of the tasks lists; fix the producer's task_routes")                    \
    X(BAD_ARGUMENTS, "bad_arguments",                                                                        \
      "Python would not accept these arguments for the task, or they have wrong types")                      \
    X(UNKNOWN_EVENT, "unknown_event", "event_type is none of the five lifecycle events")                     \
    X(BAD_ID, "bad_id",                                                                                      \
      "scan_id, finding_id or x-notify-integration is not a UUID, or the id is not UTF-8 of 1 to 200 bytes " \
      "without NUL")                                                                                         \
    X(NO_MESSAGE_ID, "no_message_id", "the message has no id; set message_id (plain JSON) or the id header") \
    X(BAD_TIME, "bad_time", "eta or expires is no ISO 8601 time")                                            \
    X(ID_REUSED, "id_reused", "an event with this id and other content exists already")                      \
    X(FINDING_MISSING, "finding_missing", "finding_new and finding_changed need a finding_id")               \
    X(FINDING_OF_OTHER_SCAN, "finding_of_other_scan", "the finding exists but belongs to another scan")      \
    X(NOT_FOUND, "not_found",                                                                                \
      "the scan, its target or the finding is not in the database after the retries in retry.not_found")     \
    X(KILLED_WORKER, "killed_worker", "handling this message ended three worker processes; report it")       \
    X(ROW_REFUSED, "row_refused",                                                                            \
      "the database refuses the row of this event or delivery; see the log for its words")                   \
    X(UNKNOWN_KIND, "unknown_kind", "the integration's kind is unknown to this version")                     \
    X(CONFIG_UNREADABLE, "config_unreadable",                                                                \
      "the integration's settings do not decrypt with any of the keys, or are no JSON object")               \
    X(CONFIG_INVALID, "config_invalid", "the integration's settings lack a key or hold a wrong value")       \
    X(ADDRESS_REFUSED, "address_refused",                                                                    \
      "the URL leads to an address that is not public and not in delivery.allow_networks")                   \
    X(URL_REFUSED, "url_refused", "the URL is not https (see delivery.allow_http) or cannot be used")        \
    X(TOO_LONG, "too_long", "the request would be longer than the limits allow")                             \
    X(REJECTED, "rejected", "the destination answered that it will never accept this request")               \
    X(GONE, "gone", "the destination answered that it no longer exists")                                     \
    X(INTEGRATION_BROKEN, "integration_broken",                                                              \
      "not sent: the destination had answered that it no longer exists; change the integration, then "       \
      "replay")                                                                                              \
    X(TOO_OLD, "too_old",                                                                                    \
      "it waited in the mailbox for gate.max_age: its integration allows too few requests, or is down; see " \
      "notify.integration_state")                                                                            \
    X(SHADOW_LOOP, "shadow_loop",                                                                            \
      "it came to a pool in shadow mode that had passed it on before: the queue forward leads back to one "  \
      "of broker.queues")                                                                                    \
    X(ATTEMPTS_EXHAUSTED, "attempts_exhausted", "every attempt allowed by retry.max_attempts failed")

/* The last error of an attempt: one word, safe to show anywhere. X(ENUM, word, help) */
#define ERROR_WORD_LIST(X)                                                                                   \
    X(NONE, "none", "no error")                                                                              \
    X(HTTP_STATUS, "http_status", "the destination answered with an error status")                           \
    X(NOT_ACCEPTED, "not_accepted",                                                                          \
      "the destination answered with a success status, but its body says that it did not take the message")  \
    X(TIMEOUT, "timeout", "no complete answer within delivery.timeout")                                      \
    X(DNS, "dns", "the host's name could not be resolved")                                                   \
    X(CONNECT, "connect", "no connection: refused, unreachable or not answered in delivery.connect_timeout") \
    X(TLS, "tls", "the TLS handshake or the certificate failed")                                             \
    X(CONNECTION_LOST, "connection_lost", "the connection broke before the answer was complete")             \
    X(BAD_ANSWER, "bad_answer", "the answer was no HTTP, or its headers were too large")                     \
    X(REDIRECT, "redirect", "the destination answered with a redirect, which is never followed")             \
    X(ADDRESS_REFUSED, "address_refused", "the address is not allowed")                                      \
    X(URL, "url", "the URL cannot be used, or its scheme is not allowed")                                    \
    X(OUTCOME_UNKNOWN, "outcome_unknown",                                                                    \
      "the worker that made the attempt died before it wrote what became of it; the request may have "       \
      "arrived")                                                                                             \
    X(OTHER, "other", "see the log line of this attempt")

#endif
