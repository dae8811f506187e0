-- What must be true of the ledger at every moment, as queries for what contradicts it: each returns one text column
-- with the rows that should not exist, so an empty answer is a good one. `notifyctl audit` runs them in one read-only
-- snapshot; they are no migration. By hand: SET notify.grace = 130; SET notify.begun = 1330; then any of them.
--
-- Each begins with a line of its name and what is wrong, a semicolon, and what to do; it may go on over further lines
-- of comment. notify.grace is the seconds after which something counts as forgotten: it is more than twice sweep.grace,
-- so that a sweep has had its chance. notify.begun adds held_max, for which a worker may hold what it has not begun.

-- event_counts: an event's counts do not add up (considered is matched and the filtered_ columns); report it, unless the
-- row was changed by hand
SELECT e.id FROM notify.events e
 WHERE e.considered <> e.matched + e.filtered_disabled + e.filtered_target + e.filtered_event
                       + e.filtered_target_kind + e.filtered_severity;

-- event_deliveries: an event is done and has not as many deliveries as integrations that matched; report it, unless rows
-- were deleted by hand (an event's deliveries must go together with it) or the database refused one (row_refused in the log)
SELECT e.id FROM notify.events e
  LEFT JOIN (SELECT d.event_id, count(*) AS count FROM notify.deliveries d GROUP BY 1) d ON d.event_id = e.id
 WHERE e.state = 'done' AND e.matched <> coalesce(d.count, 0);

-- delivery_event: a delivery has no event; the event's row was deleted: delete the delivery too, or find out who did
SELECT d.event_id || ' ' || d.integration_id FROM notify.deliveries d
 WHERE NOT EXISTS (SELECT FROM notify.events e WHERE e.id = d.event_id);

-- delivery_waiting: a waiting delivery has no due_at, or a lease; nothing would ever send it: replay or drop it by hand
SELECT d.event_id || ' ' || d.integration_id FROM notify.deliveries d
 WHERE d.state IN ('waiting', 'deferred') AND (d.due_at IS NULL OR d.lease_until IS NOT NULL);

-- mailbox_wake: deliveries are deferred and no time is set at which their mailbox is looked at; nothing would ever send them:
-- set wake_at in notify.integration_state, and report it, unless rows were changed by hand
SELECT d.event_id || ' ' || d.integration_id FROM notify.deliveries d
 WHERE d.state = 'deferred' AND (d.rank IS NULL OR NOT EXISTS (
       SELECT FROM notify.integration_state s WHERE s.integration_id = d.integration_id AND s.wake_at IS NOT NULL));

-- overdue_mailboxes: a mailbox should have been looked at long ago; is notifyd running, and what does its log say of the
-- sweep?
SELECT s.integration_id::text FROM notify.integration_state s
 WHERE s.wake_at < now() - current_setting('notify.grace')::float8 * interval '1 s';

-- delivery_sending: a delivery is being sent and has no owner or no lease, or is still due; nothing would ever end it:
-- set it to waiting with a due_at by hand
SELECT d.event_id || ' ' || d.integration_id FROM notify.deliveries d
 WHERE d.state = 'sending' AND (d.owner IS NULL OR d.lease_until IS NULL OR d.due_at IS NOT NULL);

-- delivery_finished: a finished delivery is due or has a lease; report it, unless the row was changed by hand
SELECT d.event_id || ' ' || d.integration_id FROM notify.deliveries d
 WHERE d.state NOT IN ('waiting', 'deferred', 'sending') AND (d.due_at IS NOT NULL OR d.lease_until IS NOT NULL);

-- delivery_attempts: a delivery has a failed attempt beyond its own number; report it, unless the row was changed by hand
SELECT d.event_id || ' ' || d.integration_id FROM notify.deliveries d
 WHERE EXISTS (SELECT FROM notify.attempts a WHERE a.event_id = d.event_id AND a.integration_id = d.integration_id
                  AND a.attempt > d.attempt);

-- event_times: an event is scheduled and has no time for it, or is finished without a time or open with one; report it,
-- unless the row was changed by hand
SELECT e.id FROM notify.events e
 WHERE (e.state = 'scheduled' AND e.scheduled_for IS NULL)
    OR (e.state IN ('done', 'dead', 'expired') AND e.finished_at IS NULL)
    OR (e.state IN ('open', 'scheduled') AND e.finished_at IS NOT NULL);

-- overdue_deliveries: a delivery (none that is deferred) should have moved on long ago; is notifyd running, and what does its log say of the
-- sweep? If it is busy, notifyctl stats shows how far notify.due is behind
SELECT d.event_id || ' ' || d.integration_id FROM notify.deliveries d
 WHERE d.state IN ('sending', 'waiting')
   AND greatest(d.due_at, d.lease_until, d.swept_at) < now() - current_setting('notify.grace')::float8 * interval '1 s';

-- overdue_events: an event should have moved on long ago; is notifyd running, and what does its log say of the sweep?
SELECT e.id FROM notify.events e
 WHERE e.state IN ('open', 'scheduled') AND e.scheduled_for IS NOT NULL
   AND greatest(e.scheduled_for, e.swept_at) < now() - current_setting('notify.grace')::float8 * interval '1 s';

-- abandoned_events: an event was begun long ago, and not every integration has its delivery, or not every finding its event;
-- is notifyd running, and what does its log say of the sweep?
SELECT e.id FROM notify.events e
 WHERE e.state = 'open' AND e.scheduled_for IS NULL
   AND greatest(e.accepted_at, e.swept_at) < now() - current_setting('notify.begun')::float8 * interval '1 s';

-- owed_deliveries: a delivery has been owed a message for long; is notifyd running, and can it publish?
SELECT d.event_id || ' ' || d.integration_id FROM notify.deliveries d
 WHERE d.owed AND greatest(d.updated_at, d.swept_at) < now() - current_setting('notify.grace')::float8 * interval '1 s';

-- owed_events: an event has been owed a message for long; is notifyd running, and can it publish?
SELECT e.id FROM notify.events e
 WHERE e.owed AND greatest(e.accepted_at, e.scheduled_for, e.finished_at, e.swept_at)
                  < now() - current_setting('notify.grace')::float8 * interval '1 s';

-- reference_state: a reference says that something stands at a destination and not what, or the other way round; report it,
-- unless the row was changed by hand
SELECT r.integration_id || ' ' || r.fingerprint FROM notify.external_refs r
 WHERE (r.state = 'none') <> (r.key IS NULL) OR (r.lease_until IS NULL AND r.unsure_since IS NOT NULL);

-- scan_too_many: a scan's task has more events than it has published; report it, with the two counts. Ids of its events
-- are the task's id, a dot, and the finding's id or scan_done; of a task id above 160 bytes, 32 digits of its SHA-256
SELECT t.id FROM notify.events t
 WHERE t.event_type = 'notify_scan_findings' AND t.state = 'expanded'
   AND t.published < (
       SELECT count(*) FROM notify.events c
        WHERE c.scan_id = t.scan_id AND c.event_type <> 'notify_scan_findings'
          AND c.id = CASE WHEN octet_length(t.id) > 160
                          THEN left(encode(sha256(convert_to(t.id, 'UTF8')), 'hex'), 32) ELSE t.id END
                     || '.' || coalesce(c.finding_id::text, 'scan_done'));
