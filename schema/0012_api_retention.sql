-- What the API keeps goes when it is old, as the ledger does; each is found by its age.
CREATE INDEX kept_answers_age ON notify.kept_answers (created_at);
CREATE INDEX tokens_over ON notify.tokens (least(revoked_at, expires_at));

COMMENT ON TABLE notify.kept_answers IS 'The answer to each creation that named an Idempotency-Key, for those who repeat it. Counts for 24 hours; then workers delete it.';
