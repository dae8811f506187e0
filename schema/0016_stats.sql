-- How many were delivered and how many were not, hour by hour: for charts and rates, without a look at the ledger. A row is only
-- added to, and its indexed columns never change, so that a change stays on its page.
CREATE TABLE notify.stats_hourly (
  integration_id uuid NOT NULL,
  hour timestamptz NOT NULL,
  workspace_id uuid NOT NULL,
  delivered bigint NOT NULL DEFAULT 0,
  failed bigint NOT NULL DEFAULT 0,
  dead bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (integration_id, hour)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX stats_hourly_workspace ON notify.stats_hourly (workspace_id, hour);
CREATE INDEX stats_hourly_age ON notify.stats_hourly (hour);

COMMENT ON TABLE notify.stats_hourly IS 'What became of deliveries, by integration and hour: figures for people. Workers add to them every few seconds, so one that is killed takes its last ones with it.';
COMMENT ON COLUMN notify.stats_hourly.hour IS 'When the hour begins, in UTC.';
COMMENT ON COLUMN notify.stats_hourly.delivered IS 'Deliveries that ended well.';
COMMENT ON COLUMN notify.stats_hourly.failed IS 'Attempts that failed, whether another one follows or not.';
COMMENT ON COLUMN notify.stats_hourly.dead IS 'Deliveries that were given up, also those that no attempt was made for.';

CREATE VIEW notify.api_hours WITH (security_barrier) AS
  SELECT * FROM notify.stats_hourly
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid;

-- Events of one workspace in the order of their pages, as api_recent is of deliveries. No time is missing: NULLS LAST makes it an
-- order that only the index events_workspace has. By the one on accepted_at alone, all workspaces' events would be read.
CREATE VIEW notify.api_recent_events WITH (security_barrier) AS
  SELECT * FROM notify.events
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid
  ORDER BY accepted_at DESC NULLS LAST, id DESC;
