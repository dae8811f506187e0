-- The functions behind the triggers of integration_triggers.sql: tell every listening worker host which
-- workspaces' integrations changed. They run inside the transactions of whoever writes that table, so they
-- only notify, and an error of theirs never becomes an error of the writer's.
CREATE FUNCTION notify.integrations_inserted() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (SELECT count(*) FROM (SELECT DISTINCT workspace_id FROM new_rows LIMIT 101) w) > 100 THEN
    PERFORM pg_notify('notify_integrations', '*');
  ELSE
    PERFORM pg_notify('notify_integrations', w.workspace_id::text)
    FROM (SELECT DISTINCT workspace_id FROM new_rows) w;
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION notify.integrations_inserted() IS 'Notifies channel notify_integrations of the workspaces of inserted rows; more than 100 become one *.';

CREATE FUNCTION notify.integrations_updated() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (SELECT count(*) FROM (SELECT workspace_id FROM old_rows UNION SELECT workspace_id FROM new_rows
                            LIMIT 101) w) > 100 THEN
    PERFORM pg_notify('notify_integrations', '*');
  ELSE
    PERFORM pg_notify('notify_integrations', w.workspace_id::text)
    FROM (SELECT workspace_id FROM old_rows UNION SELECT workspace_id FROM new_rows) w;
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION notify.integrations_updated() IS 'As integrations_inserted; a row that moves notifies its old and its new workspace.';

CREATE FUNCTION notify.integrations_deleted() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF (SELECT count(*) FROM (SELECT DISTINCT workspace_id FROM old_rows LIMIT 101) w) > 100 THEN
    PERFORM pg_notify('notify_integrations', '*');
  ELSE
    PERFORM pg_notify('notify_integrations', w.workspace_id::text)
    FROM (SELECT DISTINCT workspace_id FROM old_rows) w;
  END IF;
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION notify.integrations_deleted() IS 'As integrations_inserted, for deleted rows.';

CREATE FUNCTION notify.integrations_truncated() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_notify('notify_integrations', '*');
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION notify.integrations_truncated() IS 'Notifies channel notify_integrations with *: every workspace.';
