-- without a transaction: index events_export
-- For the events of one export. Next to none of the table's are of any; workers go on meanwhile.
CREATE INDEX CONCURRENTLY IF NOT EXISTS events_export ON notify.events (export_id) WHERE export_id IS NOT NULL;
