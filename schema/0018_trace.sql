-- Which trace an event belongs to (W3C Trace Context), so that whatever is done for it later says the same.
ALTER TABLE notify.events ADD COLUMN trace text;
COMMENT ON COLUMN notify.events.trace IS 'The traceparent that it came with, and behind a blank its tracestate. None: its trace id is the first 32 hexadecimal digits of SHA-256 over its id.';

CREATE OR REPLACE VIEW notify.api_events WITH (security_barrier, check_option = cascaded) AS
  SELECT * FROM notify.events
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid;
CREATE OR REPLACE VIEW notify.api_recent_events WITH (security_barrier) AS
  SELECT * FROM notify.events
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid
  ORDER BY accepted_at DESC NULLS LAST, id DESC;
