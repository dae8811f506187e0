/*
 * Every setting, once. The struct, the reader, the checks, `notifyd --help-config` and the reference in docs
 * are generated from these rows.
 *
 *   INT(field, "path", default, min, max, "help")         whole number
 *   NUM(field, "path", default, min, max, "help")         number; durations are seconds
 *   BOOL(field, "path", default, "help")
 *   TEXT(field, "path", "default", "help")                 "" means unset
 *   WORD(field, "path", "default", "one|of|these", "help") one of a few words
 *   SECRET(field, "path", "help")                          text that is never printed
 *   LIST(field, "path", "default", "help")                 list of texts; the default is comma-separated
 *   SECRETS(field, "path", "help")                         list of texts that are never printed
 *   NUMS(field, "path", "default", min, max, "help")       list of numbers; the default is comma-separated
 *
 * The help says what it is and why the default is what it is.
 */
#define CONF_RATE_ROW(NUM, kind, rate, help) NUM(gate_rate_##kind, "gate.rate_" #kind, rate, 0, 100000, help)

#define CONF_TABLE(INT, NUM, BOOL, TEXT, WORD, SECRET, LIST, SECRETS, NUMS)                                  \
    INT(workers, "workers", 0, 0, 256, "Worker processes. 0: one per core.")                                 \
    WORD(mode, "mode", "deliver", "deliver|shadow",                                                          \
         "What to do with events. In shadow mode nothing is sent: what would be sent is written to "         \
         "notify.shadow for notifyctl shadow, and each message is passed on to forward; for moving over.")   \
    NUM(shutdown_grace, "shutdown_grace", 30, 1, 3600,                                                       \
        "Seconds that a draining worker may finish what it has begun; never less than delivery.timeout + "   \
        "5.")                                                                                                \
    NUM(watchdog, "watchdog", 10, 5, 600,                                                                    \
        "Seconds without a sign of life after which a worker is killed and replaced. Longer than the "       \
        "longest call "                                                                                      \
        "that may block it: the broker's login, 3 s.")                                                       \
    NUM(reload_timeout, "reload_timeout", 10, 1, 300,                                                        \
        "Seconds that the check of program and file may take at a HUP; it reads files, and takes some "      \
        "milliseconds. After that nothing is changed.")                                                      \
    NUM(reload_patience, "reload_patience", 5, 1, 600,                                                       \
        "Seconds that new workers have to begin to consume before another HUP replaces them: connecting "    \
        "takes less than one, to a broker far away a few. Until they consume, the old workers go on.")       \
    NUM(held_max, "held_max", 1200, 10, 1740,                                                                \
        "Seconds that a message may be held while the database is away before it is handed back; below the " \
        "broker's "                                                                                          \
        "consumer timeout of 30 minutes.")                                                                   \
    BOOL(core_dumps, "core_dumps", false,                                                                    \
         "Let a crashing process leave a core. Off, because a core holds the keys in clear; for debugging.") \
    INT(recycle_events, "recycle_events", 0, 0, 2000000000,                                                  \
        "A worker is replaced after this many events. 0: never.")                                            \
    INT(recycle_memory, "recycle_memory", 0, 0, 1048576,                                                     \
        "A worker is replaced above this resident size in MiB. 0: never.")                                   \
    SECRET(broker_url, "broker.url",                                                                         \
           "amqp://user:password@host:5672/vhost, or amqps:// for TLS (port 5671 unless it is given); the "  \
           "environment's AMQP_URL overrides it.")                                                           \
    TEXT(broker_url_file, "broker.url_file", "", "File that holds broker.url.")                              \
    LIST(broker_hosts, "broker.hosts", "",                                                                   \
         "Further nodes of the broker's cluster, host:port, with user, password and vhost of broker.url: "   \
         "each connection begins with any of them and goes on to the next when one does not answer or is "   \
         "lost.")                                                                                            \
    TEXT(                                                                                                    \
        broker_ca_file, "broker.ca_file", "",                                                                \
        "With amqps://: PEM file of the authorities that may vouch for the broker, or its own certificate. " \
        "Empty: the system's.")                                                                              \
    TEXT(                                                                                                    \
        broker_cert_file, "broker.cert_file", "",                                                            \
        "With amqps://: PEM file of our certificate and those between it and its authority, in this order, " \
        "for a broker that demands one of its clients; with broker.key_file. Empty: none.")                  \
    TEXT(broker_key_file, "broker.key_file", "",                                                             \
         "PEM file of the key of broker.cert_file, without a password.")                                     \
    INT(broker_cert_days, "broker.cert_days", 30, 0, 3650,                                                   \
        "Days before the end of the broker's certificate, or of ours, from which on each connection says "   \
        "so "                                                                                                \
        "in the log: time enough to renew it. 0: never.")                                                    \
    LIST(broker_queues, "broker.queues", "notify", "The producers' queues to consume.")                      \
    INT(broker_prefetch, "broker.prefetch", 256, 4, 65535,                                                   \
        "Messages that one worker may hold, over all its queues; more than 100 to 300 brings nothing.")      \
    NUM(broker_share_producers, "broker.share_producers", 4, 1, 100,                                         \
        "Part of the prefetch for the producers' queues.")                                                   \
    NUM(broker_share_due, "broker.share_due", 2, 1, 100, "Part of the prefetch for notify.due (retries).")   \
    NUM(broker_share_bulk, "broker.share_bulk", 1, 1, 100,                                                   \
        "Part of the prefetch for notify.bulk (expanded findings).")                                         \
    NUM(broker_share_urgent, "broker.share_urgent", 1, 1, 100,                                               \
        "Part of the prefetch for notify.urgent (expanded critical findings).")                              \
    INT(broker_heartbeat, "broker.heartbeat", 30, 2, 600,                                                    \
        "Seconds; a silent broker is noticed after two of them.")                                            \
    WORD(broker_queue_type, "broker.queue_type", "classic", "classic|quorum",                                \
         "Type of the queues that we declare ourselves: quorum on a cluster.")                               \
    INT(broker_unconfirmed, "broker.unconfirmed_bytes", 524288, 65536, 1048576,                              \
        "Bytes published and not yet confirmed, which a lost connection makes us publish again; above it "   \
        "publishing waits.")                                                                                 \
    NUM(broker_publish_patience, "broker.publish_patience", 5, 0.1, 3600,                                    \
        "Seconds that the broker may take no messages (an alarm, a full queue) before a message whose rows " \
        "are committed "                                                                                     \
        "is acknowledged all the same: the sweep publishes what it is owed.")                                \
    NUM(broker_reconnect_max, "broker.reconnect_max", 3, 1, 3600,                                            \
        "Longest pause between two attempts to reach the broker, plus up to a quarter by chance. An "        \
        "attempt costs little; "                                                                             \
        "with 3 the work goes on within 5 s of the broker's return, however long it was away.")              \
    SECRET(database_url, "database.url",                                                                     \
           "postgresql://user:password@host/name; the environment's DATABASE_URL overrides it.")             \
    TEXT(database_url_file, "database.url_file", "", "File that holds database.url.")                        \
    TEXT(database_role, "database.role", "",                                                                 \
         "Role to switch to after connecting, made by schema/roles.sql. Empty: the login role itself.")      \
    NUM(database_timeout, "database.timeout", 10, 1, 600,                                                    \
        "Seconds without an answer after which the link is closed and made anew.")                           \
    INT(database_batch, "database.batch", 200, 1, 1000,                                                      \
        "Most events or rows in one statement: above about a hundred there is little gain.")                 \
    NUM(database_linger, "database.linger", 0.02, 0, 1,                                                      \
        "Seconds between two batches of rows under load: acknowledgements wait for it, deliveries do not, "  \
        "and "                                                                                               \
        "the database has a third of the statements.")                                                       \
    NUM(database_lock_timeout, "database.lock_timeout", 0.5, 0.01, 60,                                       \
        "Seconds that a statement waits for a lock that somebody else holds; meanwhile the worker's link "   \
        "waits "                                                                                             \
        "too. Between workers locks last milliseconds.")                                                     \
    NUM(database_reconnect_max, "database.reconnect_max", 3, 1, 3600,                                        \
        "Longest pause between two attempts to reach the database, as for the broker.")                      \
    SECRETS(secrets_fernet_keys, "secrets.fernet_keys",                                                      \
            "Pencheff's own FERNET_KEY: the first encrypts, all decrypt; the environment's FERNET_KEY "      \
            "(comma-separated) overrides.")                                                                  \
    TEXT(secrets_fernet_keys_file, "secrets.fernet_keys_file", "", "File with one Fernet key a line.")       \
    NUM(delivery_timeout, "delivery.timeout", 15, 0.1, 300,                                                  \
        "Seconds for a whole request, from name look-up to last byte.")                                      \
    NUM(delivery_connect_timeout, "delivery.connect_timeout", 5, 0.1, 300,                                   \
        "Seconds for name look-up, connection and TLS.")                                                     \
    INT(delivery_max_response, "delivery.max_response", 65536, 1024, 4194304,                                \
        "Bytes of an answer that are read; the rest is cut off.")                                            \
    INT(delivery_max_headers, "delivery.max_headers", 65536, 1024, 1048576,                                  \
        "Bytes of an answer's headers; more is an error.")                                                   \
    INT(delivery_max_request, "delivery.max_request", 524288, 4096, 4194304,                                 \
        "Bytes of a request's body; a larger one is dead: too_long. One to Splunk holds as many events as "  \
        "fit.")                                                                                              \
    INT(delivery_per_integration, "delivery.per_integration", 8, 1, 1000,                                    \
        "Requests at a time to one integration, per worker.")                                                \
    INT(delivery_connections, "delivery.connections", 256, 1, 10000,                                         \
        "Requests at a time, per worker; each holds a descriptor.")                                          \
    INT(delivery_idle_connections, "delivery.idle_connections", 256, 1, 10000,                               \
        "Connections that are kept, busy and idle ones, per worker; with fewer than are busy at once, each " \
        "request closes one that the next has to open again.")                                               \
    NUM(delivery_lease_slack, "delivery.lease_slack", 30, 1, 3600,                                           \
        "Seconds beyond twice delivery.timeout for which an attempt belongs to its worker, for what comes "  \
        "before and after the request; when they are over, its outcome counts as unknown.")                  \
    NUM(delivery_look_after, "delivery.look_after", 0, 0, 3600,                                              \
        "Seconds after a request that may have made an issue, and was not answered, until it is looked for " \
        "and, if it is not there, made; 0 for what the vendor's search needs (Jira 180, GitHub 30). With "   \
        "less than that a second issue may be made.")                                                        \
    LIST(delivery_allow_networks, "delivery.allow_networks", "",                                             \
         "Networks in CIDR form that deliveries may reach although they are not public. None by default: "   \
         "URLs come from whoever may edit an integration.")                                                  \
    BOOL(delivery_allow_http, "delivery.allow_http", false, "Whether http:// is allowed besides https://.")  \
    TEXT(delivery_ca_file, "delivery.ca_file", "", "PEM file of trusted authorities. Empty: the system's.")  \
    TEXT(delivery_proxy, "delivery.proxy", "",                                                               \
         "Proxy for all deliveries, http://host:port. It resolves names itself, so it must refuse private "  \
         "addresses itself.")                                                                                \
    NUM(gate_patience, "gate.patience", 2, 0, 3600,                                                          \
        "Seconds that a delivery may wait in a worker for its integration's turn; one that must wait "       \
        "longer "                                                                                            \
        "goes to the mailbox in the ledger, where it holds up nobody.")                                      \
    INT(gate_window, "gate.window", 2, 1, 1000,                                                              \
        "Requests at a time to an integration that nothing is known of: it grows by one with each success, " \
        "up "                                                                                                \
        "to delivery.per_integration. Few, because one that never answers holds them for delivery.timeout.") \
    INT(gate_line, "gate.line", 32, 1, 65535,                                                                \
        "Deliveries that may wait in a worker for one integration while it sends to others, too; the least " \
        "severe beyond go to the mailbox, or a slow destination would fill the prefetch.")                   \
    NUM(gate_max_age, "gate.max_age", 86400, 1, 2592000,                                                     \
        "Seconds in the mailbox after which a delivery is dead: too_old. What the destination asked to "     \
        "wait "                                                                                              \
        "comes on top.")                                                                                     \
    INT(gate_digest_above, "gate.digest_above", 10, 1, 500,                                                  \
        "New findings of one scan that leave a mailbox of a chat one by one; when more wait, one message "   \
        "tells of all of them: a channel that gets hundreds is muted.")                                      \
    INT(gate_together, "gate.together", 500, 1, 500,                                                         \
        "Most deliveries that leave a mailbox in one request (Splunk) or one message (chats); 1: each by "   \
        "itself.")                                                                                           \
    NUM(gate_linger, "gate.linger", 0.2, 0.05, 10,                                                           \
        "Seconds between two requests of what may share one, as long as there is less than gate.together.")  \
    INT(gate_wakes, "gate.wakes", 64, 1, 10000,                                                              \
        "Mailboxes that a worker empties at a time; messages beyond broker.prefetch.")                       \
    INT(gate_wake_batch, "gate.wake_batch", 32, 1, 1000, "Most deliveries that leave one mailbox together.") \
    INT(gate_wake_rows, "gate.wake_rows", 128, 1, 10000,                                                     \
        "Deliveries from all mailboxes that a worker has in hand, beside those of broker.prefetch "          \
        "messages; "                                                                                         \
        "more where gate.together of one mailbox share a request or a message.")                             \
    NUM(gate_wake_run, "gate.wake_run", 60, 0.1, 600,                                                        \
        "Seconds for which a worker empties one mailbox before another gets its place.")                     \
    KIND_TABLE(CONF_RATE_ROW, NUM)                                                                           \
    INT(gate_circuit_least, "gate.circuit_least", 10, 0, 32,                                                 \
        "Requests to an integration before its circuit may open: fewer say too little. 0: never.")           \
    NUM(gate_circuit_share, "gate.circuit_share", 0.5, 0.01, 1,                                              \
        "Share of failures among its last 32 requests at which the circuit opens: nothing is sent but a "    \
        "probe "                                                                                             \
        "now and then, and deliveries wait in the mailbox without using up attempts.")                       \
    NUM(gate_circuit_pause, "gate.circuit_pause", 5, 0.1, 3600,                                              \
        "Seconds before the first probe; twice as long after each that fails.")                              \
    NUM(gate_circuit_max, "gate.circuit_max", 60, 0.1, 86400,                                                \
        "Longest pause between two probes: a destination that works again is noticed after so long at "      \
        "most.")                                                                                             \
    NUM(gate_broken_pause, "gate.broken_pause", 60, 1, 2592000,                                              \
        "Seconds for which an integration gets nothing when its destination has said that it is gone: it "   \
        "is "                                                                                                \
        "broken, and what comes for it is dead at once: integration_broken. Then one delivery probes it; "   \
        "any "                                                                                               \
        "change of the integration makes it usual again.")                                                   \
    NUM(gate_broken_max, "gate.broken_max", 3600, 1, 2592000,                                                \
        "Longest pause between two such probes; each is twice as long as the one before.")                   \
    NUM(gate_report, "gate.report", 5, 0.1, 3600,                                                            \
        "Seconds between two notes of how integrations fare in notify.integration_state (one that works is " \
        "noted once a minute), and of what was delivered in notify.stats_hourly.")                           \
    NUM(sweep_grace, "sweep.grace", 60, 1, 86400,                                                            \
        "Seconds that a due retry may be late before it is published again; more when notify.due is "        \
        "itself that far behind.")                                                                           \
    NUM(sweep_interval, "sweep.interval", 1, 0.1, 3600,                                                      \
        "Seconds between two looks for what is overdue or was replayed; each is two look-ups in small "      \
        "indexes.")                                                                                          \
    INT(sweep_batch, "sweep.batch", 500, 1, 10000,                                                           \
        "Rows that one look takes; a full batch is followed at once by the next.")                           \
    NUM(expand_queue_running_wait, "expand.queue_running_wait", 60, 0, 3600,                                 \
        "Seconds to wait for a scan that is still queued or running before its findings are published: "     \
        "its rows may not be committed yet.")                                                                \
    INT(expand_page, "expand.page", 500, 1, 5000,                                                            \
        "Findings published between two notes of how far a scan has come; after a crash at most so many "    \
        "are published again.")                                                                              \
    TEXT(forward, "forward", "",                                                                             \
         "Queue that shadow mode passes each message on to, as it came, for the worker that delivers. It "   \
         "must exist, and not be among broker.queues. Empty: messages are only acknowledged, for queues "    \
         "that get copies while the other worker reads its own. Without effect in the mode deliver.")        \
    INT(shadow_message_bytes, "shadow.message_bytes", 134217728, 0, 536870912,                               \
        "Memory, per worker, for messages larger than limits.message_bytes, which shadow mode passes on "    \
        "without judging them: the largest that RabbitMQ 3.10 takes by default. What finds no room waits, "  \
        "and a larger one stays in its queue.")                                                              \
    INT(shadow_body_bytes, "shadow.body_bytes", 2048, 0, 65536,                                              \
        "Bytes of the body of each request that would be sent that are kept in notify.shadow: enough to "    \
        "read a chat message whole, while a scan of 10,000 findings takes some 20 MB for each integration.") \
    NUM(retry_base, "retry.base", 5, 0.1, 86400, "Seconds before the second attempt.")                       \
    NUM(retry_factor, "retry.factor", 3, 1, 100, "Each further pause is this many times longer.")            \
    NUM(retry_max_delay, "retry.max_delay", 21600, 1, 65535, "Longest pause: six hours.")                    \
    INT(retry_max_attempts, "retry.max_attempts", 12, 1, 100,                                                \
        "Attempts before a delivery is dead: about 22 hours with the defaults.")                             \
    NUM(retry_jitter, "retry.jitter", 0.2, 0, 1,                                                             \
        "Up to this share of a pause is added by chance, so that failures do not come back together.")       \
    NUM(retry_max_retry_after, "retry.max_retry_after", 86400, 1, 86400,                                     \
        "Longest Retry-After that is obeyed.")                                                               \
    NUMS(retry_not_found, "retry.not_found", "1, 4, 15", 0.1, 3600,                                          \
         "Pauses before a scan or finding that is not there yet is looked for again: the producer's "        \
         "transaction may be open.")                                                                         \
    INT(limits_message_bytes, "limits.message_bytes", 1048576, 65536, 16777216,                              \
        "Largest message body, before and after decompression; a lifecycle event has a few hundred bytes, "  \
        "and one with the longest texts that are kept up to 50,000, when it is put off.")                    \
    INT(rules_cache_bytes, "rules.cache_bytes", 67108864, 1048576, 2147483647,                               \
        "Memory for cached integrations, per worker; the least recently used workspaces leave first.")       \
    LIST(tasks_notify_event, "tasks.notify_event", "notify_event",                                           \
         "Last dotted component of the task that carries one event.")                                        \
    LIST(tasks_notify_scan_findings, "tasks.notify_scan_findings", "notify_scan_findings",                   \
         "Last dotted component of the task that stands for a scan's findings.")                             \
    BOOL(celery_presence, "celery.presence", true,                                                           \
         "Let Celery's tools see the pool of this host as one worker, and steer it: heartbeats, events, "    \
         "remote "                                                                                           \
         "control. Off: nothing of it is declared or sent.")                                                 \
    BOOL(celery_steer, "celery.steer", true,                                                                 \
         "Whether they may change the pool: workers, queues, shutdown. Whoever may publish to the virtual "  \
         "host "                                                                                             \
         "can, as with Celery's workers.")                                                                   \
    TEXT(celery_node, "celery.node", "",                                                                     \
         "Its node name, each %h in it the host's name. Empty: celery@%h, which probes in use expect; in "   \
         "shadow mode notify@%h, since Celery's own worker runs beside it. Unique per virtual host: two "    \
         "pools on "                                                                                         \
         "one host need two, and so do a pool and a worker of Celery's.")                                    \
    NUM(celery_heartbeat, "celery.heartbeat", 2, 0.5, 600,                                                   \
        "Seconds between two heartbeats, as Celery's workers send them; monitors call a worker lost after "  \
        "twice that.")                                                                                       \
    TEXT(celery_control_exchange, "celery.control_exchange", "celery",                                       \
         "As the application's control_exchange: the exchange is this with .pidbox behind it.")              \
    TEXT(celery_event_exchange, "celery.event_exchange", "celeryev", "As the application's event_exchange.") \
    NUM(celery_requests, "celery.requests", 50, 1, 10000,                                                    \
        "Requests of remote control that are answered in a second; more are dropped, so that a flood costs " \
        "the agent little. Flower makes some ten for each worker it shows.")                                 \
    INT(celery_added_prefetch, "celery.added_prefetch", 32, 1, 65535,                                        \
        "Messages that a worker may hold of each queue that was added by add_consumer, beside "              \
        "broker.prefetch.")                                                                                  \
    NUM(celery_retry, "celery.retry", 30, 1, 86400,                                                          \
        "Seconds before it is tried again when the broker has refused an exchange, a queue, one that was "   \
        "added too, or the node name: it will hardly get better by itself.")                                 \
    TEXT(agent_listen, "agent.listen", "127.0.0.1:9464", "Address of metrics and health. Empty: none.")      \
    NUM(agent_not_consuming, "agent.not_consuming", 60, 1, 86400,                                            \
        "Seconds that the broker is there and no worker consumes after which /healthz answers 503; never "   \
        "less than two heartbeats. Starting takes a few; with a single worker, one that is recycled may "    \
        "take shutdown_grace until the next one starts.")                                                    \
    TEXT(api_listen, "api.listen", "127.0.0.1:8080", "Address of the REST API.")                             \
    TEXT(                                                                                                    \
        api_role, "api.role", "",                                                                            \
        "Role that notify-api, notifyctl integration and notifyctl token take on after connecting, made by " \
        "schema/roles.sql. Empty: the login role itself.")                                                   \
    INT(api_database_connections, "api.database_connections", 4, 1, 64,                                      \
        "Connections to the database, beside one for tokens; a request that takes long holds up those "      \
        "behind it on its own.")                                                                             \
    INT(api_workspace_calls, "api.workspace_calls", 2, 1, 64,                                                \
        "Requests of one workspace that are with the database at a time, each on a connection of its own; "  \
        "its others wait, so that slow ones leave connections to other workspaces.")                         \
    NUM(api_lock_timeout, "api.lock_timeout", 0.05, 0.01, 60,                                                \
        "Seconds that a request waits on its connection for a lock that somebody else holds; then it makes " \
        "room and comes again, until database.timeout.")                                                     \
    INT(api_connections, "api.connections", 1024, 16, 60000,                                                 \
        "Clients at a time; beyond them the one that is silent, or slow, for the longest is closed.")        \
    NUM(api_patience, "api.patience", 15, 1, 3600,                                                           \
        "Seconds for a request to arrive whole, from the first look or the answer before, and for an "       \
        "answer to be taken.")                                                                               \
    INT(api_header_bytes, "api.header_bytes", 16384, 4096, 1048576,                                          \
        "Bytes of a request's line and headers, with 64 for each of them: more than browsers send. A "       \
        "connection may take twice that in memory, so that what is larger can still be refused in words.")   \
    INT(api_body_bytes, "api.body_bytes", 65536, 1024, 16777216,                                             \
        "Largest body of a request; settings with a long list of targets have some 20,000.")                 \
    NUM(api_rate, "api.rate", 50, 1, 100000,                                                                 \
        "Requests a second of one token, and as many at once; per notify-api.")                              \
    NUM(api_test_timeout, "api.test_timeout", 30, 1, 300,                                                    \
        "Seconds for a whole test of an integration, which is up to six requests: a person waits for the "   \
        "answer, and what stands before the API as a rule for no more than 60.")                             \
    INT(api_tests_at_once, "api.tests_at_once", 16, 1, 256,                                                  \
        "Tests at a time, a quarter of them for one workspace, so that nobody makes the API send more than " \
        "people would.")                                                                                     \
    INT(api_tests_burst, "api.tests_burst", 10, 1, 100000,                                                   \
        "Tests that a workspace may make one after the other, as whoever sets integrations up does; then "   \
        "one "                                                                                               \
        "each api.tests_pause. Each test is a request to an address that its caller has chosen.")            \
    NUM(api_tests_pause, "api.tests_pause", 3, 0.001, 3600,                                                  \
        "Seconds after which a workspace may make one more: a person who corrects settings needs longer, "   \
        "and at 20 a minute the API is no means to look for open ports or to flood somebody.")               \
    INT(api_export_findings, "api.export_findings", 5000, 1, 10000,                                          \
        "Findings of a scan in one export, which are as many rows in one transaction: some tenths of a "     \
        "second.")                                                                                           \
    INT(api_export_unsaved, "api.export_unsaved", 20, 1, 500,                                                \
        "Findings that are sent in one request with settings that are not saved: the client waits for all "  \
        "of them, within api.test_timeout, and each message counts as a test (api.tests_burst).")            \
    TEXT(api_certificate_file, "api.certificate_file", "",                                                   \
         "PEM file with the API's certificate and those between it and its authority, in this order; with "  \
         "api.key_file. Both empty: HTTP, for loopback or behind a proxy that speaks TLS.")                  \
    TEXT(api_key_file, "api.key_file", "",                                                                   \
         "PEM file with the key of api.certificate_file, not encrypted. Both are read at the start only.")   \
    LIST(api_cors_origins, "api.cors_origins", "",                                                           \
         "Origins (https://host, with :port when it is not the usual one) whose pages may use the API in a " \
         "browser, never with its credentials. None by default: tokens belong to programs, not to pages of " \
         "others.")                                                                                          \
    TEXT(api_url, "api.url", "", "How clients reach the API. Empty: http:// and api.listen.")                \
    NUM(mcp_timeout, "mcp.timeout", 45, 1, 600,                                                              \
        "Seconds for a request of notify-mcp to the API, with all times that it is asked again: a test "     \
        "takes "                                                                                             \
        "up to api.test_timeout, and clients wait some 60 for a tool.")                                      \
    NUM(mcp_wait, "mcp.wait", 40, 0, 3600,                                                                   \
        "Seconds from the beginning of an export by a tool after which it looks no longer for its "          \
        "deliveries, and says how far they are; clients wait some 60 for a tool.")                           \
    NUM(mcp_grace, "mcp.grace", 1.5, 0, 60,                                                                  \
        "Seconds for what is under way to be answered after the client has closed its end; clients kill a "  \
        "server that is still there after two. What was canceled is still stopped, within mcp.timeout.")     \
    INT(mcp_calls, "mcp.calls", 16, 1, 256,                                                                  \
        "Calls of tools at a time, each a request to the API; an agent makes a few. More are refused.")      \
    INT(mcp_line_bytes, "mcp.line_bytes", 262144, 1024, 67108864,                                            \
        "Longest line from the client; a longer one is refused and skipped. Calls have some hundred bytes, " \
        "and one with the longest lists 60,000; reading one takes many times its length of memory.")         \
    INT(mcp_answer_bytes, "mcp.answer_bytes", 8388608, 65536, 67108864,                                      \
        "Bytes of an answer of the API that are read; a page of 500 deliveries has some 400,000, and what "  \
        "explains an event to 5,000 integrations a few millions.")                                           \
    INT(mcp_result_bytes, "mcp.result_bytes", 65536, 4096, 1048576,                                          \
        "Bytes of each of the two forms in which a tool's result stands in its answer, text and structure; " \
        "what is cut off is said. A model reads some 20,000 tokens of it, and clients cut at 25,000.")       \
    TEXT(mcp_ca_file, "mcp.ca_file", "",                                                                     \
         "PEM file of authorities that notify-mcp trusts. Empty: the system's.")                             \
    BOOL(mcp_allow_http, "mcp.allow_http", false,                                                            \
         "Whether notify-mcp may speak http:// to other hosts than its own: the token is sent in clear.")    \
    WORD(log_level, "log.level", "info", "debug|info|warn|error", "Least important level that is written.")  \
    WORD(log_format, "log.format", "text", "text|json", "One line per happening, for people or machines.")   \
    INT(log_burst, "log.burst", 100, 0, 1000000,                                                             \
        "Lines of the same event= and level that one process writes in log.interval: more than anybody "     \
        "reads, and few enough that a destination which fails a thousand times a second fills no disk. "     \
        "What is left out is counted and said; debug, and what happens to processes, is written always. "    \
        "0: no limit.")                                                                                      \
    NUM(log_interval, "log.interval", 10, 0.1, 3600,                                                         \
        "Seconds in which log.burst lines may be written, and after which at the latest it is said how "     \
        "many "                                                                                              \
        "were left out.")                                                                                    \
    NUM(retention_deliveries_days, "retention.deliveries_days", 30, 0.0001, 36500,                           \
        "Days that events with their finished deliveries stay in the ledger, counted from the last thing "   \
        "that "                                                                                              \
        "happened to any of them. Until then a repeated message is not delivered twice, and a dead one can " \
        "be replayed.")                                                                                      \
    NUM(retention_changes_days, "retention.changes_days", 365, 0.0001, 36500,                                \
        "Days that notify.changes remembers who changed what, and that a token which was revoked or has "    \
        "expired is kept: a year, as long as most audits look back.")                                        \
    NUM(retention_stats_days, "retention.stats_days", 30, 2, 36500,                                          \
        "Days that notify.stats_hourly keeps its figures, a row per integration and hour: enough to "        \
        "compare a month with the one before. Two at least, for the last 24 hours are shown.")               \
    NUM(retention_interval, "retention.interval", 60, 0.1, 86400,                                            \
        "Seconds between two walks over what has become too old; the walk itself takes a fifth of one "      \
        "connection's time.")                                                                                \
    INT(retention_batch, "retention.batch", 500, 1, 10000,                                                   \
        "Events of one transaction of that walk: some 20 ms, for which others may have to wait.")
