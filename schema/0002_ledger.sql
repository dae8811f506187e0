-- The ledger: what became of every event and of every delivery. No foreign key to any table outside this
-- schema: scans and integrations come and go without asking us, and must not wait for us.
CREATE TABLE notify.events (
  id text PRIMARY KEY,
  content_hash bytea NOT NULL,
  workspace_id uuid,
  scan_id uuid,
  event_type text NOT NULL,
  finding_id uuid,
  change_summary text,
  error text,
  queue text,
  state text NOT NULL,
  reason text,
  first_seen timestamptz NOT NULL,
  accepted_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  scheduled_for timestamptz,
  considered int NOT NULL DEFAULT 0,
  matched int NOT NULL DEFAULT 0,
  filtered_disabled int NOT NULL DEFAULT 0,
  filtered_target int NOT NULL DEFAULT 0,
  filtered_event int NOT NULL DEFAULT 0,
  filtered_target_kind int NOT NULL DEFAULT 0,
  filtered_severity int NOT NULL DEFAULT 0,
  CONSTRAINT events_state CHECK (state IN ('open', 'scheduled', 'expanded', 'done', 'dead', 'expired'))
);
CREATE INDEX events_accepted_at ON notify.events (accepted_at);
CREATE INDEX events_scan_id ON notify.events (scan_id);

COMMENT ON TABLE notify.events IS 'One row per accepted event.';
COMMENT ON COLUMN notify.events.id IS 'The id of the message, 200 bytes at most: the same id is the same event.';
COMMENT ON COLUMN notify.events.content_hash IS 'SHA-256 over type, scan, finding, change summary and error: tells a repeat from an id that is used twice.';
COMMENT ON COLUMN notify.events.queue IS 'The queue it came from.';
COMMENT ON COLUMN notify.events.state IS 'See notifyctl --list event-states.';
COMMENT ON COLUMN notify.events.reason IS 'Why it is dead; see notifyctl --list reasons.';
COMMENT ON COLUMN notify.events.first_seen IS 'When a worker first read it.';
COMMENT ON COLUMN notify.events.scheduled_for IS 'The eta of a scheduled event.';
COMMENT ON COLUMN notify.events.considered IS 'Integrations of its workspace when it was matched: matched and the filtered_ counts add up to it.';
COMMENT ON COLUMN notify.events.matched IS 'Integrations that fired: each has a row in deliveries.';
COMMENT ON COLUMN notify.events.filtered_disabled IS 'Held back because disabled. Each filtered_ column counts integrations whose first failing filter it was; see notifyctl --list filters.';

-- Rows are updated at every attempt: room is left for updates that stay on their page.
CREATE TABLE notify.deliveries (
  event_id text NOT NULL,
  integration_id uuid NOT NULL,
  workspace_id uuid NOT NULL,
  state text NOT NULL,
  attempt int NOT NULL,
  owner text,
  lease_until timestamptz,
  due_at timestamptz,
  reason text,
  error text,
  detail text,
  status int,
  response bytea,
  duration_ms int,
  maybe_duplicate bool NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (event_id, integration_id),
  CONSTRAINT deliveries_state CHECK (
    state IN ('sending', 'waiting', 'deferred', 'delivered', 'canceled', 'dead', 'dropped'))
) WITH (fillfactor = 80);
CREATE INDEX deliveries_due ON notify.deliveries (due_at) WHERE state IN ('waiting', 'deferred');
CREATE INDEX deliveries_lease ON notify.deliveries (lease_until) WHERE state = 'sending';
CREATE INDEX deliveries_integration ON notify.deliveries (integration_id, updated_at DESC);
CREATE INDEX deliveries_dead ON notify.deliveries (updated_at) WHERE state = 'dead';

COMMENT ON TABLE notify.deliveries IS 'One row per event and integration that fired.';
COMMENT ON COLUMN notify.deliveries.state IS 'See notifyctl --list states.';
COMMENT ON COLUMN notify.deliveries.attempt IS 'Number of the attempt that runs or ran last; 1 is the first, 0 means none since a replay.';
COMMENT ON COLUMN notify.deliveries.owner IS 'The worker process that makes the attempt; its outcome is accepted from nobody else.';
COMMENT ON COLUMN notify.deliveries.lease_until IS 'While sending: when the owner counts as gone.';
COMMENT ON COLUMN notify.deliveries.due_at IS 'While waiting or deferred: when the next attempt may start.';
COMMENT ON COLUMN notify.deliveries.reason IS 'Why it is dead or canceled; see notifyctl --list reasons.';
COMMENT ON COLUMN notify.deliveries.error IS 'One word for what went wrong in the last attempt; see notifyctl --list errors.';
COMMENT ON COLUMN notify.deliveries.detail IS 'More words on the error, for people.';
COMMENT ON COLUMN notify.deliveries.status IS 'HTTP status of the last answer.';
COMMENT ON COLUMN notify.deliveries.response IS 'Start of the last answer''s body, bytes as they came.';
COMMENT ON COLUMN notify.deliveries.duration_ms IS 'Milliseconds that the last attempt took.';
COMMENT ON COLUMN notify.deliveries.maybe_duplicate IS 'An attempt whose outcome is unknown was repeated: the receiver may have seen it twice.';

CREATE TABLE notify.attempts (
  event_id text NOT NULL,
  integration_id uuid NOT NULL,
  attempt int NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  error text,
  detail text,
  status int,
  response bytea,
  duration_ms int,
  PRIMARY KEY (event_id, integration_id, attempt),
  FOREIGN KEY (event_id, integration_id) REFERENCES notify.deliveries ON DELETE CASCADE
);
COMMENT ON TABLE notify.attempts IS 'Failed attempts, for people; deleted with their delivery.';
