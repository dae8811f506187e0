-- What the sweep needs to find what was forgotten, and what the expansion of a scan needs to go on where it was.
ALTER TABLE notify.events
  ADD COLUMN owed bool NOT NULL DEFAULT false,
  ADD COLUMN swept_at timestamptz,
  ADD COLUMN published int NOT NULL DEFAULT 0,
  ADD COLUMN published_rank int,
  ADD COLUMN published_id uuid;
ALTER TABLE notify.deliveries
  ADD COLUMN owed bool NOT NULL DEFAULT false,
  ADD COLUMN swept_at timestamptz;

-- When each unfinished row should have moved on, by whatever it waits for.
DROP INDEX notify.deliveries_due;
DROP INDEX notify.deliveries_lease;
CREATE INDEX deliveries_sweep ON notify.deliveries (greatest(due_at, lease_until, swept_at))
  WHERE state IN ('sending', 'waiting', 'deferred');
CREATE INDEX deliveries_owed ON notify.deliveries (event_id, integration_id) WHERE owed;
CREATE INDEX events_sweep ON notify.events (greatest(scheduled_for, swept_at))
  WHERE state IN ('open', 'scheduled') AND scheduled_for IS NOT NULL;
-- Open without a time: begun by somebody, whose message the broker has again should he die.
CREATE INDEX events_abandoned ON notify.events (greatest(accepted_at, swept_at)) WHERE state = 'open' AND scheduled_for IS NULL;
CREATE INDEX events_owed ON notify.events (id) WHERE owed;
CREATE INDEX events_dead ON notify.events (finished_at) WHERE state = 'dead';

COMMENT ON COLUMN notify.events.event_type IS 'See notifyctl --list events; notify_scan_findings is a task that becomes one event per finding.';
COMMENT ON COLUMN notify.events.scheduled_for IS 'When its message comes back from the retry ladder: the eta of a scheduled event, the next look of an open one.';
COMMENT ON COLUMN notify.events.owed IS 'A message is to be published for it at once: the event again after a replay, or the dead letter that the broker did not take.';
COMMENT ON COLUMN notify.events.swept_at IS 'When the sweep last published a message for it.';
COMMENT ON COLUMN notify.events.published IS 'Of a task notify_scan_findings: events published and confirmed so far.';
COMMENT ON COLUMN notify.events.published_rank IS 'Of such a task: severity of the last finding published, 4 for critical to 0 for info. It goes on behind.';
COMMENT ON COLUMN notify.events.published_id IS 'Of such a task: the last finding published.';
COMMENT ON COLUMN notify.deliveries.owed IS 'A message is to be published for it at once: the retry after a replay, or the dead letter that the broker did not take.';
COMMENT ON COLUMN notify.deliveries.swept_at IS 'When the sweep last published a message for it.';
