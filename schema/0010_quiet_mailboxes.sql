-- A mailbox in which nothing is due needs no look before something is; what comes into it meanwhile brings its time forward.
ALTER TABLE notify.integration_state ADD COLUMN resting boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN notify.integration_state.resting IS 'Nobody has its mailbox in hand, and nothing in it was due when somebody had: wake_at may be brought forward.';

-- References that stand for nothing, or for an event of a scan, which nothing comes back to.
CREATE INDEX external_refs_passing ON notify.external_refs (updated_at)
  WHERE (state = 'none' OR finding_id IS NULL) AND lease_until IS NULL AND unsure_since IS NULL;
