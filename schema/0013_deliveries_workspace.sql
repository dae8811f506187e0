-- without a transaction: index deliveries_workspace
-- For the deliveries of a workspace, newest first. The table may be big and workers are writing it: they go on meanwhile.
CREATE INDEX CONCURRENTLY IF NOT EXISTS deliveries_workspace ON notify.deliveries (workspace_id, state, updated_at DESC);
