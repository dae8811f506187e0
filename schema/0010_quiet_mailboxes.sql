-- A mailbox in which nothing is due needs no look before something is; what comes into it meanwhile brings its time forward.
ALTER TABLE notify.integration_state ADD COLUMN resting boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN notify.integration_state.resting IS 'Nobody has its mailbox in hand, and nothing in it was due when wake_at was set, which may be brought forward.';

-- References that stand for nothing, or for an event of a scan, which nothing comes back to. By a time that no claim changes, or
-- each would write to all indexes of its row.
ALTER TABLE notify.external_refs ADD COLUMN created_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX external_refs_passing ON notify.external_refs (created_at) WHERE state = 'none' OR finding_id IS NULL;
