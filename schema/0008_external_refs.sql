-- What stands at a destination for a finding: an alert, an issue, a message. One row per integration and weakness, which is the
-- same in every scan.
CREATE TABLE notify.external_refs (
  integration_id uuid NOT NULL,
  fingerprint text NOT NULL,
  workspace_id uuid NOT NULL,
  finding_id uuid,
  told boolean NOT NULL DEFAULT false,
  state text NOT NULL DEFAULT 'none',
  key text,
  severity text,
  title text,
  claim uuid,
  claimed_at timestamptz,
  lease_until timestamptz,
  unsure_since timestamptz,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (integration_id, fingerprint)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX external_refs_finding ON notify.external_refs (integration_id, finding_id);

COMMENT ON TABLE notify.external_refs IS 'What stands at a destination for a finding, and as what it was told last.';
COMMENT ON COLUMN notify.external_refs.fingerprint IS 'SHA-256, in hexadecimal, over target, category, endpoint, parameter and title; for an event of a scan over its id.';
COMMENT ON COLUMN notify.external_refs.finding_id IS 'The row of findings that was told last, or of which the first claim was; a later one of the same fingerprint takes its place.';
COMMENT ON COLUMN notify.external_refs.told IS 'That row was told, so what is told of an earlier one has nothing to say any more.';
COMMENT ON COLUMN notify.external_refs.state IS 'none, open or closed, as the destination was told.';
COMMENT ON COLUMN notify.external_refs.key IS 'Issue key, number, message id or alias there.';
COMMENT ON COLUMN notify.external_refs.claim IS 'Number of the last claim, drawn by the worker; only its holder may write what became of it.';
COMMENT ON COLUMN notify.external_refs.lease_until IS 'While claimed: until when. After that: nobody knows what became of the claim. No time: it is known.';
COMMENT ON COLUMN notify.external_refs.unsure_since IS 'When the first of the claims was made of which nobody knows what became.';
