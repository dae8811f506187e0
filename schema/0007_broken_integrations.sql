-- An integration whose destination said that it is gone gets nothing but a probe now and then, until its row changes.
ALTER TABLE notify.integration_state
  ADD COLUMN broken_row text,
  ADD COLUMN broken_since timestamptz,
  ADD COLUMN broken_asked_at timestamptz,
  ADD COLUMN probe_at timestamptz;
CREATE INDEX integration_state_broken ON notify.integration_state (workspace_id) WHERE broken_row IS NOT NULL;

COMMENT ON COLUMN notify.integration_state.broken_since IS 'Since when its destination says that it is gone; no time: it does not.';
COMMENT ON COLUMN notify.integration_state.broken_asked_at IS 'When its destination said so last, or anything else after that.';
COMMENT ON COLUMN notify.integration_state.broken_row IS 'A hash of the row of integrations as it was then: after a change of it the integration is not broken. Empty: it was, and works again.';
COMMENT ON COLUMN notify.integration_state.probe_at IS 'While broken: the first delivery after that is made, to find out whether it is still so.';

-- Rows come and go as fast as events do. A fifth of a table, PostgreSQL's default, would be dead before it is cleaned.
ALTER TABLE notify.events SET (autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE notify.deliveries SET (autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE notify.attempts SET (autovacuum_vacuum_scale_factor = 0.05);
