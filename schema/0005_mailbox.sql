-- The mailbox: deliveries that their integration's limits held back wait here, worst first, without a message of their own.
ALTER TABLE notify.deliveries ADD COLUMN rank int;

CREATE INDEX deliveries_mailbox ON notify.deliveries (integration_id, rank DESC, due_at) WHERE state = 'deferred';
-- The sweep has nothing to do with them.
DROP INDEX notify.deliveries_sweep;
CREATE INDEX deliveries_sweep ON notify.deliveries (greatest(due_at, lease_until, swept_at))
  WHERE state IN ('sending', 'waiting');

CREATE TABLE notify.integration_state (
  integration_id uuid PRIMARY KEY,
  workspace_id uuid NOT NULL,
  wake_at timestamptz,
  wake_number int NOT NULL DEFAULT 0,
  circuit_until timestamptz,
  failing_since timestamptz,
  last_success_at timestamptz,
  last_failure_at timestamptz,
  last_error text,
  rate float8,
  updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE INDEX integration_state_wake ON notify.integration_state (wake_at) WHERE wake_at IS NOT NULL;

COMMENT ON COLUMN notify.deliveries.rank IS 'While deferred: severity, 4 for critical to 0 for info; the worst leaves the mailbox first.';
COMMENT ON COLUMN notify.deliveries.due_at IS 'While waiting: when the next attempt may start. While deferred: since when it could, but for its integration''s limits.';
COMMENT ON TABLE notify.integration_state IS 'How an integration fares: one row for each that a worker has sent something to or held back for.';
COMMENT ON COLUMN notify.integration_state.wake_at IS 'When its mailbox is looked at next; no time: nothing is in it.';
COMMENT ON COLUMN notify.integration_state.wake_number IS 'Number of the last wake that was published; an older one is void.';
COMMENT ON COLUMN notify.integration_state.circuit_until IS 'Its circuit is open until then, on the host that said so last; then one request probes it.';
COMMENT ON COLUMN notify.integration_state.failing_since IS 'The first failure after which nothing succeeded; no time: it works.';
COMMENT ON COLUMN notify.integration_state.last_error IS 'One word for the last failure; see notifyctl --list errors.';
COMMENT ON COLUMN notify.integration_state.rate IS 'Requests a second to which its answers have lowered the rate; none: as configured.';
