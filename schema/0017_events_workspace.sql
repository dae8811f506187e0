-- without a transaction: index events_workspace
-- For the events of a workspace, newest first. The table may be big and workers are writing it: they go on meanwhile.
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_workspace ON notify.events (workspace_id, state, accepted_at DESC NULLS LAST);
