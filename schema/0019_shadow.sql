-- What a pool in shadow mode found: what it would have sent, without sending it. Nothing here is work: a pool that delivers reads
-- none of it, so that moving over begins with an empty ledger.
CREATE TABLE notify.shadow (
  event_id text COLLATE "C" NOT NULL,
  integration_id uuid NOT NULL,
  workspace_id uuid,
  integration_name text,
  kind text,
  event_type text,
  scan_id uuid,
  finding_id uuid,
  queue text,
  verdict text NOT NULL,
  reason text,
  detail text,
  considered int,
  matched int,
  filtered_disabled int,
  filtered_target int,
  filtered_event int,
  filtered_target_kind int,
  filtered_severity int,
  method text,
  url text,
  body_size int,
  body_sha256 bytea,
  body bytea,
  times int NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (event_id, integration_id)
);
CREATE INDEX shadow_age ON notify.shadow (created_at);
CREATE INDEX shadow_scan ON notify.shadow (scan_id);

COMMENT ON TABLE notify.shadow IS 'What shadow mode found: a row for each event, and one for each integration that it matched.';
COMMENT ON COLUMN notify.shadow.event_id IS 'Of a message without an id that can be read: sha256: and the hash of its body.';
COMMENT ON COLUMN notify.shadow.integration_id IS 'All zero: the row of the event itself.';
COMMENT ON COLUMN notify.shadow.verdict IS 'A word of notifyctl --list shadow-verdicts.';
COMMENT ON COLUMN notify.shadow.reason IS 'A word of notifyctl --list reasons.';
COMMENT ON COLUMN notify.shadow.considered IS 'Of the event: integrations of its workspace; then how many it matched, and how many each filter held back.';
COMMENT ON COLUMN notify.shadow.url IS 'Where the first request would go; what is secret of it is stars.';
COMMENT ON COLUMN notify.shadow.body_sha256 IS 'Of the whole body, which has body_size bytes.';
COMMENT ON COLUMN notify.shadow.body IS 'Its first bytes (shadow.body_bytes); a credential in it is stars.';
COMMENT ON COLUMN notify.shadow.times IS 'How often the message came: more than once when a worker or its connection died with it.';
