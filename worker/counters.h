#ifndef NOTIFY_WORKER_COUNTERS_H
#define NOTIFY_WORKER_COUNTERS_H

#include "common/base/kind_table.h"
#include "common/model/words.h"
#include "worker/histogram.h"

/*
 * Everything that notifyd tells of itself, once. The agent's /metrics, the words in shared memory, `notifyd --help-metrics` and
 * docs/metrics.md are made of these lists.
 *
 * Labels come from lists only, never from what was sent, so their number is known before the first message.
 */

/* ---- words of labels; X(ENUM, word, help) */

#define BATCH_LIST(X)                                                                                        \
    X(LOOKUP, "lookup", "look-ups of events")                                                                \
    X(RULES, "rules", "reads of integrations")                                                               \
    X(LEDGER, "ledger", "writes of events and deliveries")                                                   \
    X(REFS, "refs", "claims of what stands for findings")                                                    \
    X(EXPAND, "expand", "reads of a scan's findings, and how far it has come")                               \
    X(MAILBOX, "mailbox", "takes of deliveries from mailboxes")                                              \
    X(HEALTH, "health", "notes of how integrations fare")                                                    \
    X(HOURS, "hours", "counts of deliveries by integration and hour")                                        \
    X(SHADOW, "shadow", "what shadow mode writes down, and findings that it reads")

#define SERVER_LIST(X)                                                                                       \
    X(BROKER, "broker", "RabbitMQ")                                                                          \
    X(DATABASE, "database", "PostgreSQL")

#define QUEUE_CLASS_LIST(X)                                                                                  \
    X(PRODUCERS, "producers", "the queues in broker.queues")                                                 \
    X(DUE, "notify.due", "what leaves the retry ladder")                                                     \
    X(URGENT, "notify.urgent", "critical findings of expanded scans")                                        \
    X(BULK, "notify.bulk", "other findings of expanded scans")                                               \
    X(WAKE, "notify.wake", "wakes of mailboxes")

#define SWEPT_LIST(X)                                                                                        \
    X(RETRY, "overdue_retry", "a retry whose message was lost")                                              \
    X(LEASE, "expired_lease", "an attempt whose worker is gone")                                             \
    X(EVENT, "overdue_event", "an event that was put off, or begun and forgotten")                           \
    X(REPLAYED, "replayed", "a dead delivery or event that a person has replayed")                           \
    X(LETTER, "dead_letter", "a dead letter that the broker did not take before")

#define END_CAUSE_LIST(X)                                                                                    \
    X(CRASH, "crash", "a signal, or an exit status that nobody asked for")                                   \
    X(WATCHDOG, "watchdog", "its loop stood still for longer than watchdog")                                 \
    X(MEMORY, "memory", "the machine has no more memory or other resources")                                 \
    X(RECYCLED, "recycled",                                                                                  \
      "it drained by itself: recycle_events, recycle_memory, or a TERM that was sent to it alone")           \
    X(ASKED, "reload", "drained for new settings, or for a smaller pool")

#define PROCESS_LIST(X)                                                                                      \
    X(WORKER, "worker", "all workers")                                                                       \
    X(AGENT, "agent", "the agent")                                                                           \
    X(SUPERVISOR, "supervisor", "the supervisor")

#define COUNTERS_ENUM_BATCH(e, w, h)            BATCH_##e,
#define COUNTERS_ENUM_SERVER(e, w, h)           SERVER_##e,
#define COUNTERS_ENUM_QUEUE(e, w, h)            QUEUE_##e,
#define COUNTERS_ENUM_SWEPT(e, w, h)            SWEPT_##e,
#define COUNTERS_ENUM_END(e, w, h)              END_##e,
#define COUNTERS_ENUM_PROCESS(e, w, h)          PROCESS_##e,
#define COUNTERS_ENUM_KIND(A, kind, rate, help) FIGURE_KIND_##kind,

enum batch { BATCH_LIST(COUNTERS_ENUM_BATCH) BATCH_COUNT };
enum server { SERVER_LIST(COUNTERS_ENUM_SERVER) SERVER_COUNT };
enum queue_class { QUEUE_CLASS_LIST(COUNTERS_ENUM_QUEUE) QUEUE_CLASS_COUNT };
enum swept { SWEPT_LIST(COUNTERS_ENUM_SWEPT) SWEPT_COUNT };
enum end_cause { END_CAUSE_LIST(COUNTERS_ENUM_END) END_CAUSE_COUNT };
enum process_group { PROCESS_LIST(COUNTERS_ENUM_PROCESS) PROCESS_COUNT };
/* As dest_all has them; one more for integrations that are gone, or of a kind that this version does not know. */
enum figure_kind { KIND_TABLE(COUNTERS_ENUM_KIND, ) FIGURE_KIND_UNKNOWN, FIGURE_KIND_COUNT };

/* ---- sets of labels; X(ENUM, cells) */

#define LABELS_LIST(X)                                                                                       \
    X(NONE, 1)                                                                                               \
    X(KIND, FIGURE_KIND_COUNT)                                                                               \
    X(KIND_REASON, FIGURE_KIND_COUNT *REASON_COUNT) /* cell: kind * REASON_COUNT + reason */                 \
    X(REASON, REASON_COUNT)                                                                                  \
    X(STAGE, MATCH_COUNT)                                                                                    \
    X(BATCH, BATCH_COUNT)                                                                                    \
    X(SERVER, SERVER_COUNT)                                                                                  \
    X(QUEUE, QUEUE_CLASS_COUNT)                                                                              \
    X(FOUND, SWEPT_COUNT)                                                                                    \
    X(CAUSE, END_CAUSE_COUNT)                                                                                \
    X(PROCESS, PROCESS_COUNT)                                                                                \
    X(VERSION, 1)

#define COUNTERS_ENUM_LABELS(e, cells) LABELS_##e,
#define COUNTERS_ENUM_CELLS(e, cells)  CELLS_##e = (cells),
enum label_set { LABELS_LIST(COUNTERS_ENUM_LABELS) LABELS_COUNT };
enum label_cells { LABELS_LIST(COUNTERS_ENUM_CELLS) };

/* ---- types; X(ENUM, words of a cell, what Prometheus calls it, meaning) */

#define FIGURE_TYPE_LIST(X)                                                                                  \
    X(COUNTER, 1, "counter", "only grows, whoever dies")                                                     \
    X(SECONDS, HISTOGRAM_WORDS, "histogram", "of durations, noted in microseconds")                          \
    X(ITEMS, HISTOGRAM_WORDS, "histogram", "of numbers of things")                                           \
    X(GAUGE, 1, "gauge", "as it is; summed over the processes, gone with its process")                       \
    X(LATEST, 1, "gauge", "a time (noted as monotonic microseconds): the latest of all processes")           \
    X(ASKED, 0, "gauge", "found out by the agent when it is asked for")

#define COUNTERS_ENUM_TYPE(e, words, type, help)  FIGURE_TYPE_##e,
#define COUNTERS_ENUM_WORDS(e, words, type, help) WORDS_##e = (words),
enum figure_type { FIGURE_TYPE_LIST(COUNTERS_ENUM_TYPE) FIGURE_TYPE_COUNT };
enum figure_type_words { FIGURE_TYPE_LIST(COUNTERS_ENUM_WORDS) };

/* What a build with another list has before it (tests/fault/next_build.h); nothing in the one that is shipped. */
#ifndef COUNTER_LIST_FIRST
#define COUNTER_LIST_FIRST(X)
#endif

/* ---- the figures; X(ENUM, type, labels, name without notify_ and a counter's _total, help) */

#define COUNTER_LIST(X)                                                                                      \
    COUNTER_LIST_FIRST(X)                                                                                    \
    X(RECEIVED, COUNTER, QUEUE, "messages_received", "messages taken from the broker")                       \
    X(LAST_RECEIVED, LATEST, NONE, "last_message_timestamp_seconds",                                         \
      "when a message was taken from the broker last; 0: none since the start")                              \
    X(JOINED, COUNTER, NONE, "messages_joined", "copies of a message that was in hand already")              \
    X(REJECTED, COUNTER, REASON, "messages_rejected",                                                        \
      "messages that were no acceptable event, and events that were dead before they reached any "           \
      "integration")                                                                                         \
    X(SETTLED, COUNTER, NONE, "messages_settled", "messages acknowledged")                                   \
    X(REQUEUED, COUNTER, NONE, "messages_requeued", "messages handed back to the broker")                    \
    X(IN_HAND, ASKED, NONE, "messages_in_hand", "messages held")                                             \
    X(UNMATCHED, COUNTER, NONE, "events_unmatched", "events that matched no integration")                    \
    X(FILTERED, COUNTER, STAGE, "deliveries_filtered",                                                       \
      "pairs of an event and an integration that a filter held back, by the first that did")                 \
    X(EXPIRED, COUNTER, NONE, "events_expired", "events whose expiry time had passed")                       \
    X(SCHEDULED, COUNTER, NONE, "events_scheduled", "events put off until their eta")                        \
    X(NOT_FOUND, COUNTER, NONE, "events_not_found", "look-ups that did not find the scan or finding yet")    \
    X(ATTEMPTS, COUNTER, KIND, "requests", "requests made")                                                  \
    X(REQUEST_TIME, SECONDS, KIND, "request_seconds",                                                        \
      "from the moment that a request may be sent to its answer, or to knowing that none comes; connecting " \
      "included")                                                                                            \
    X(THROTTLED, COUNTER, KIND, "requests_throttled", "requests answered with: too many")                    \
    X(SENDING, ASKED, NONE, "requests_in_flight", "requests under way")                                      \
    X(FIRST_TIME, SECONDS, NONE, "first_attempt_seconds",                                                    \
      "until the first attempt of a delivery: from its message's AMQP timestamp (whole seconds of the "      \
      "producer's clock), else from when a worker read the event first, or from its eta when that is "       \
      "later")                                                                                               \
    X(DELIVERED, COUNTER, KIND, "deliveries_delivered", "deliveries that a destination accepted")            \
    X(DELIVERED_TIME, SECONDS, KIND, "delivery_seconds",                                                     \
      "from when a worker read the event first, or from its eta while no attempt has failed, until it is "   \
      "recorded as delivered; retries and waiting included")                                                 \
    X(RETRIED, COUNTER, KIND, "deliveries_retried", "attempts that failed and are tried again")              \
    X(DEAD, COUNTER, KIND_REASON, "deliveries_dead", "deliveries given up")                                  \
    X(CANCELED, COUNTER, KIND, "deliveries_canceled",                                                        \
      "deliveries whose integration was deleted or disabled")                                                \
    X(DEFERRED, COUNTER, KIND, "deliveries_deferred",                                                        \
      "deliveries put into the mailbox of their integration")                                                \
    X(PUT_OFF, COUNTER, NONE, "deliveries_put_off",                                                          \
      "deliveries that waited for another one about the same finding")                                       \
    X(STALE, COUNTER, NONE, "deliveries_stale", "deliveries that another worker had taken or ended")         \
    X(UNWRITTEN, ASKED, NONE, "deliveries_unwritten",                                                        \
      "requests made whose outcome is not in the database yet")                                              \
    X(WAKES, COUNTER, NONE, "mailbox_wakes", "times that a worker began to empty a mailbox")                 \
    X(WOKEN, COUNTER, NONE, "mailbox_deliveries", "deliveries taken from mailboxes")                         \
    X(MAILBOXES, ASKED, NONE, "mailboxes",                                                                   \
      "integrations with deliveries in their mailbox, as far as this host knows")                            \
    X(WINDOWS, GAUGE, NONE, "gate_windows",                                                                  \
      "windows: integrations that a worker sends to, or sent to lately, summed over the workers")            \
    X(GATE_WAITING, GAUGE, NONE, "gate_waiting", "deliveries that wait in a worker for their turn")          \
    X(CIRCUITS, COUNTER, KIND, "circuits_opened", "times that an integration's circuit opened")              \
    X(OPEN, ASKED, NONE, "circuits_open", "integrations of this host whose circuit is open")                 \
    X(BROKEN, COUNTER, NONE, "integrations_broken",                                                          \
      "times that an integration's destination said that it is gone")                                        \
    X(EXPANDED, COUNTER, NONE, "scans_expanded", "tasks notify_scan_findings turned into events")            \
    X(EXPANSION_EVENTS, COUNTER, NONE, "expansion_events", "events published for the findings of a scan")    \
    X(RULES_HITS, COUNTER, NONE, "rules_hits",                                                               \
      "questions for a workspace's integrations that the cache "                                             \
      "answered")                                                                                            \
    X(RULES_MISSES, COUNTER, NONE, "rules_misses",                                                           \
      "questions for a workspace's integrations that the database had to answer")                            \
    X(RULES_CACHED, GAUGE, NONE, "rules_workspaces",                                                         \
      "workspaces whose integrations are cached, summed over the workers")                                   \
    X(RULES_BYTES, GAUGE, NONE, "rules_bytes",                                                               \
      "memory of the caches of integrations (see rules.cache_bytes), summed over the workers")               \
    X(STATEMENTS, COUNTER, BATCH, "database_requests", "requests to the database, of many events each")      \
    X(SPLITS, COUNTER, BATCH, "database_splits",                                                             \
      "requests that the database refused, taken apart to find what it refuses")                             \
    X(BATCH_ITEMS, ITEMS, BATCH, "database_batch_items",                                                     \
      "events, rows or questions in a request to the database")                                              \
    X(BATCH_TIME, SECONDS, BATCH, "database_round_trip_seconds",                                             \
      "from sending a request to the database to its last answer")                                           \
    X(CONFIRM_TIME, SECONDS, NONE, "broker_round_trip_seconds",                                              \
      "from publishing a message to the broker's confirm")                                                   \
    X(SHADOWED, COUNTER, NONE, "events_shadowed",                                                            \
      "events judged in shadow mode, of a scan's findings each one")                                         \
    X(SHADOW_HELD, GAUGE, NONE, "messages_not_passed_on",                                                    \
      "messages that shadow mode holds since it cannot pass them on, or not yet: see shadow_held in the "    \
      "log")                                                                                                 \
    X(SHADOW_SENT, COUNTER, NONE, "deliveries_shadowed",                                                     \
      "requests that shadow mode would have sent in the mode deliver")                                       \
    X(FORWARDED, COUNTER, NONE, "messages_forwarded",                                                        \
      "messages that shadow mode passed on to another worker's queue")                                       \
    X(PUBLISHED, COUNTER, NONE, "publishes_confirmed", "messages published and confirmed")                   \
    X(RETURNED, COUNTER, NONE, "publishes_returned", "messages that the broker could not route or refused")  \
    X(SET_ASIDE, COUNTER, NONE, "publishes_set_aside",                                                       \
      "times that the broker closed the connection when a message was published alone, which then waits")    \
    X(OWED, COUNTER, NONE, "publishes_given_up",                                                             \
      "messages that the broker did not take in time; the sweep publishes them")                             \
    X(TASK_EVENTS_LOST, COUNTER, NONE, "task_events_lost",                                                   \
      "events of tasks that Celery's monitors did not get, because there were too many")                     \
    X(CONNECTED, COUNTER, SERVER, "connections_made", "connections of workers and agent made and usable")    \
    X(LOST, COUNTER, SERVER, "connections_lost", "connections of workers and agent lost")                    \
    X(SWEPT, COUNTER, FOUND, "rows_swept", "rows that the sweep found, and whose message it published")      \
    X(DUE_LATE, ASKED, NONE, "due_lateness_seconds",                                                         \
      "how late retries came out of notify.due: the worst that this host saw in the last ten minutes")       \
    X(EVENTS_DELETED, COUNTER, NONE, "events_deleted",                                                       \
      "events deleted from the ledger because of their age")                                                 \
    X(DELIVERIES_DELETED, COUNTER, NONE, "deliveries_deleted",                                               \
      "deliveries deleted from the ledger because of their age")                                             \
    X(WORKER_ENDS, COUNTER, CAUSE, "worker_restarts",                                                        \
      "workers that ended while the pool goes on, by cause; another takes the place unless the pool "        \
      "shrinks")                                                                                             \
    X(AGENT_ENDS, COUNTER, CAUSE, "agent_restarts",                                                          \
      "agents that ended while the pool goes on, by cause; another takes the place")                         \
    X(WORKERS, ASKED, NONE, "workers", "worker processes")                                                   \
    X(CONSUMING, ASKED, NONE, "workers_consuming", "workers that consume a queue of the producers")          \
    X(WITH_DATABASE, ASKED, NONE, "workers_with_database", "workers that are connected to the database")     \
    X(DRAINING, ASKED, NONE, "workers_draining", "workers that finish what they have and take nothing new")  \
    X(QUEUES_ADDED, ASKED, NONE, "queues_added",                                                             \
      "queues that were added while the pool runs (add_consumer)")                                           \
    X(QUEUES_CANCELLED, ASKED, NONE, "queues_cancelled",                                                     \
      "queues that were cancelled while the pool runs (cancel_consumer): their messages wait")               \
    X(HEALTHY, ASKED, NONE, "healthy", "1 when /healthz answers 200, else 0")                                \
    X(MEMORY, ASKED, PROCESS, "resident_memory_bytes",                                                       \
      "resident memory; pages that processes share count for each of them")                                  \
    X(MEMORY_MOST, ASKED, PROCESS, "resident_memory_most_bytes",                                             \
      "resident memory of the largest process of the group")                                                 \
    X(BUILD, ASKED, VERSION, "build_info", "the version that runs; always 1")                                \
    X(STARTED, ASKED, NONE, "start_time_seconds", "when the pool was started")

/* As Prometheus has it, of a row's type and name. */
#define FIGURE_SUFFIX_COUNTER "_total"
#define FIGURE_SUFFIX_SECONDS ""
#define FIGURE_SUFFIX_ITEMS   ""
#define FIGURE_SUFFIX_GAUGE   ""
#define FIGURE_SUFFIX_LATEST  ""
#define FIGURE_SUFFIX_ASKED   ""
#define FIGURE_NAME(t, w)     "notify_" w FIGURE_SUFFIX_##t

/* The first word of each figure in shared memory; a figure's cells follow one another, and so do the words of a cell. */
#define COUNTER_ENUM(e, t, l, w, h) COUNT_##e, COUNT_##e##_END = COUNT_##e + CELLS_##l * WORDS_##t - 1,
enum counter { COUNTER_LIST(COUNTER_ENUM) COUNTER_COUNT };

/* The figures themselves, as figure_table.c has them. */
#define FIGURE_ENUM(e, t, l, w, h) FIGURE_##e,
enum figure_id { COUNTER_LIST(FIGURE_ENUM) FIGURE_COUNT };

#endif
