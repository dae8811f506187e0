#ifndef NOTIFY_WORKER_COUNTERS_H
#define NOTIFY_WORKER_COUNTERS_H

/* What a build with another list has before it (tests/fault/next_build.h); nothing in the one that is shipped. */
#ifndef COUNTER_LIST_FIRST
#define COUNTER_LIST_FIRST(X)
#endif

/* Everything that a worker counts, once. X(ENUM, word, help); shown by the agent as notify_<word>_total. */
#define COUNTER_LIST(X)                                                                                      \
    COUNTER_LIST_FIRST(X)                                                                                    \
    X(RECEIVED, "messages_received", "messages taken from the broker")                                       \
    X(JOINED, "messages_joined", "copies of a message that was in hand already")                             \
    X(REJECTED, "messages_rejected", "messages that were no acceptable event")                               \
    X(SETTLED, "messages_settled", "messages acknowledged")                                                  \
    X(REQUEUED, "messages_requeued", "messages handed back to the broker")                                   \
    X(FILTERED, "events_filtered", "events that matched no integration")                                     \
    X(EXPIRED, "events_expired", "events whose expiry time had passed")                                      \
    X(SCHEDULED, "events_scheduled", "events put off until their eta")                                       \
    X(NOT_FOUND, "events_not_found", "look-ups that did not find the scan or finding yet")                   \
    X(ATTEMPTS, "attempts", "requests made")                                                                 \
    X(DELIVERED, "deliveries_delivered", "deliveries that a destination accepted")                           \
    X(RETRIED, "deliveries_retried", "attempts that failed and are tried again")                             \
    X(DEAD, "deliveries_dead", "deliveries given up")                                                        \
    X(CANCELED, "deliveries_canceled", "deliveries whose integration was deleted or disabled")               \
    X(DEFERRED, "deliveries_deferred", "deliveries put into the mailbox of their integration")               \
    X(WAKES, "mailbox_wakes", "times that a worker began to empty a mailbox")                                \
    X(WOKEN, "mailbox_deliveries", "deliveries taken from mailboxes")                                        \
    X(THROTTLED, "attempts_throttled", "requests answered with: too many")                                   \
    X(CIRCUITS, "circuits_opened", "times that an integration's circuit opened")                             \
    X(BROKEN, "integrations_broken", "times that an integration's destination said that it is gone")         \
    X(STALE, "deliveries_stale", "retries that another worker had taken")                                    \
    X(SWEPT, "rows_swept", "overdue, forgotten or replayed rows whose message the sweep published")          \
    X(EVENTS_DELETED, "events_deleted", "events deleted from the ledger because of their age")               \
    X(DELIVERIES_DELETED, "deliveries_deleted", "deliveries deleted from the ledger because of their age")   \
    X(OWED, "publishes_given_up", "messages that the broker did not take in time; the sweep publishes them") \
    X(EXPANDED, "scans_expanded", "tasks notify_scan_findings turned into events")                           \
    X(EXPANSION_EVENTS, "expansion_events", "events published for the findings of a scan")                   \
    X(PUBLISHED, "publishes_confirmed", "messages published and confirmed")                                  \
    X(RETURNED, "publishes_returned", "messages that the broker could not route or refused")                 \
    X(LOOKUP_STATEMENTS, "lookup_statements", "look-up statements")                                          \
    X(LEDGER_STATEMENTS, "ledger_statements", "ledger transactions")                                         \
    X(RULES_STATEMENTS, "rules_statements", "statements that read integrations")                             \
    X(LOOKUP_SPLITS, "lookup_splits", "look-ups split to find an event that the database refuses")           \
    X(LEDGER_SPLITS, "ledger_splits", "ledger batches split to find a row that the database refuses")        \
    X(RULES_SPLITS, "rules_splits", "reads of integrations split to find a workspace that is refused")       \
    X(EXPANSION_STATEMENTS, "expansion_statements",                                                          \
      "transactions that read findings or write how far a scan has come")                                    \
    X(EXPANSION_SPLITS, "expansion_splits", "of those, split to find a task that the database refuses")      \
    X(MAILBOX_STATEMENTS, "mailbox_statements", "transactions that take deliveries from mailboxes")          \
    X(MAILBOX_SPLITS, "mailbox_splits", "of those, split to find a mailbox that the database refuses")       \
    X(HEALTH_STATEMENTS, "health_statements", "statements that note how integrations fare")                  \
    X(HEALTH_SPLITS, "health_splits", "of those, split to find a note that the database refuses")            \
    X(HOURS_STATEMENTS, "hours_statements", "statements that count deliveries by integration and hour")      \
    X(HOURS_SPLITS, "hours_splits", "of those, split to find a row that the database refuses")               \
    X(PUT_OFF, "deliveries_put_off", "deliveries that waited for another one about the same finding")        \
    X(REF_STATEMENTS, "reference_statements", "transactions that claim what stands for findings")            \
    X(REF_SPLITS, "reference_splits", "of those, split to find a claim that the database refuses")           \
    X(BROKER_DOWN, "broker_links_lost", "broker connections lost")                                           \
    X(DATABASE_DOWN, "database_links_lost", "database connections lost")

#define COUNTER_ENUM(e, w, h) COUNT_##e,
enum counter { COUNTER_LIST(COUNTER_ENUM) COUNTER_COUNT };

/* The word of the figure INDEX, from 0 to COUNTER_COUNT - 1. */
const char *counter_name(int index);

#endif
