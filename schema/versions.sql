-- Where the applied migrations are recorded. Run by `notifyctl migrate` before everything else, only when the
-- table is not there yet: it needs CREATE on the database once, and no right on anything that exists.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'notify') THEN
    CREATE SCHEMA notify;
  END IF;
END
$$;
COMMENT ON SCHEMA notify IS 'Notification delivery: the ledger of events and deliveries. Can be dropped with CASCADE without touching the product''s tables.';

CREATE TABLE notify.schema_migrations (
  version int PRIMARY KEY,
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE notify.schema_migrations IS 'One row per applied migration of the folder schema.';
COMMENT ON COLUMN notify.schema_migrations.checksum IS 'SHA-256 of the migration file, in hexadecimal; a difference means that an applied file was edited.';
