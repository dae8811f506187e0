-- Ids of events compare by their bytes. In the database's own collation each step down an index is a call of strcoll,
-- on two copies of the texts; nobody reads ids in the order of a language. The tables are not rewritten, their indexes
-- on these columns are built anew.
ALTER TABLE notify.events ALTER COLUMN id TYPE text COLLATE "C";
ALTER TABLE notify.deliveries ALTER COLUMN event_id TYPE text COLLATE "C";
ALTER TABLE notify.attempts ALTER COLUMN event_id TYPE text COLLATE "C";
