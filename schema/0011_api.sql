-- What the API and notifyctl keep beside the product's tables: tokens, a log of changes, the answers to requests that may be
-- repeated. And the second wall: whoever works for a workspace says which in the setting notify.workspace, and reads and
-- writes views that hold nothing of any other, whatever the statement says. Without the setting they are empty.
CREATE TABLE notify.tokens (
  id text PRIMARY KEY,
  workspace_id uuid NOT NULL,
  scope text NOT NULL,
  name text NOT NULL,
  hash bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  CONSTRAINT tokens_scope CHECK (scope IN ('read', 'write'))
);
CREATE INDEX tokens_workspace ON notify.tokens (workspace_id);

COMMENT ON TABLE notify.tokens IS 'Who may use the API; each token is for one workspace.';
COMMENT ON COLUMN notify.tokens.id IS 'The part of a token that is no secret: sixteen hexadecimal digits.';
COMMENT ON COLUMN notify.tokens.hash IS 'SHA-256 of the whole token. It holds 256 random bits, so a plain hash is enough.';
COMMENT ON COLUMN notify.tokens.last_used_at IS 'Written once a minute at most.';

CREATE TABLE notify.changes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  workspace_id uuid NOT NULL,
  actor text NOT NULL,
  actor_name text NOT NULL,
  verb text NOT NULL,
  object text NOT NULL,
  fields text[]
);
CREATE INDEX changes_workspace ON notify.changes (workspace_id, id DESC);

COMMENT ON TABLE notify.changes IS 'Who changed what, written in the transaction of the change. Never a value, and never settings.';
COMMENT ON COLUMN notify.changes.actor IS 'The id of a token, or notifyctl.';
COMMENT ON COLUMN notify.changes.actor_name IS 'The name that the token had then; for notifyctl, the account that ran it.';
COMMENT ON COLUMN notify.changes.verb IS 'create, update, delete; token create, token revoke.';
COMMENT ON COLUMN notify.changes.object IS 'The id of the integration, or of the token.';
COMMENT ON COLUMN notify.changes.fields IS 'The names of the fields that were given, or that an update changed.';

CREATE TABLE notify.kept_answers (
  workspace_id uuid NOT NULL,
  key text NOT NULL,
  body_hash bytea NOT NULL,
  integration_id uuid NOT NULL,
  answer text,
  etag text,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (workspace_id, key)
);

COMMENT ON TABLE notify.kept_answers IS 'The answer to each creation that named an Idempotency-Key, for those who repeat it. Counts for 24 hours; later ones of the workspace take it away.';
COMMENT ON COLUMN notify.kept_answers.body_hash IS 'SHA-256 of the request: the same key with another request is refused.';

CREATE VIEW notify.api_audit WITH (security_barrier, check_option = cascaded) AS
  SELECT * FROM notify.changes
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid;
CREATE VIEW notify.api_keys WITH (security_barrier, check_option = cascaded) AS
  SELECT * FROM notify.kept_answers
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid;

-- The ledger of one workspace. `recent` is for pages: a view with a wall is planned by itself, so the order that a page wants
-- must be its own for an index to give it.
CREATE VIEW notify.api_events WITH (security_barrier) AS
  SELECT * FROM notify.events
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid;
CREATE VIEW notify.api_deliveries WITH (security_barrier, check_option = cascaded) AS
  SELECT * FROM notify.deliveries
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid;
CREATE VIEW notify.api_recent WITH (security_barrier) AS
  SELECT * FROM notify.deliveries
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid
  ORDER BY updated_at DESC, event_id DESC, integration_id DESC;
CREATE VIEW notify.api_attempts WITH (security_barrier, check_option = cascaded) AS
  SELECT a.* FROM notify.attempts a
  WHERE EXISTS (SELECT FROM notify.deliveries d WHERE d.event_id = a.event_id AND d.integration_id = a.integration_id
                AND d.workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid);
CREATE VIEW notify.api_states WITH (security_barrier) AS
  SELECT * FROM notify.integration_state
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid;
CREATE VIEW notify.api_refs WITH (security_barrier) AS
  SELECT integration_id, workspace_id, finding_id, state, key FROM notify.external_refs
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid;

-- The views of the product's tables run with the rights of their owner, so they must belong to the owner of these tables (or
-- to a role that is a member of it). Whoever may make them may drop them, too.
CREATE FUNCTION notify.may_make_api_views() RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
    OR coalesce((SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = 'public' AND c.relname = 'integrations'), false) AND has_schema_privilege('notify', 'CREATE')
$$;
COMMENT ON FUNCTION notify.may_make_api_views() IS 'Whether the caller may make, and drop, the views of the product''s tables.';

-- notifyctl migrate calls this, or schema/roles.sql, or a migration of the product after its own work. The views get their rights
-- again as roles.sql gives them. Each says in its comment of which migration it is, so that a later one can replace them in
-- the same way. Returns made, there (nothing to do), or barred (the caller may not).
CREATE FUNCTION notify.make_api_views() RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wanted CONSTANT text := 'What the API may see of the workspace in notify.workspace; of migration 11.';
  wall CONSTANT text := ' = nullif(current_setting(''notify.workspace'', true), '''')::uuid';
  product name;
  gives boolean;
  one record;
BEGIN
  PERFORM pg_advisory_xact_lock(7310593858020254332);
  IF 5 = (SELECT count(*) FROM pg_class WHERE relnamespace = 'notify'::regnamespace
          AND relname IN ('api_integrations', 'api_targets', 'api_workspaces', 'api_scans', 'api_findings') AND obj_description(oid, 'pg_class') = wanted) THEN
    RETURN 'there';
  END IF;
  IF NOT notify.may_make_api_views() THEN
    RETURN 'barred';
  END IF;
  SELECT pg_get_userbyid(c.relowner) INTO product FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relname = 'integrations';
  -- The owner's own migrations drop the views and make them again.
  IF NOT has_schema_privilege(product, 'notify', 'CREATE')
     AND (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'notify') THEN
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA notify TO %I', product);
  END IF;
  gives := current_user <> product AND has_schema_privilege(product, 'notify', 'CREATE');
  FOR one IN SELECT * FROM (VALUES
    ('api_workspaces', 'SELECT w.id, w.org_id FROM public.workspaces w WHERE w.id', 'SELECT'),
    ('api_targets', 'SELECT t.id, t.workspace_id, t.name, t.base_url, t.kind FROM public.targets t WHERE t.workspace_id', 'SELECT'),
    ('api_scans', 'SELECT s.id, s.workspace_id, s.target_id FROM public.scans s WHERE s.workspace_id', 'SELECT'),
    ('api_findings', 'SELECT f.id, f.scan_id, f.severity, s.workspace_id FROM public.findings f'
     ' JOIN public.scans s ON s.id = f.scan_id WHERE s.workspace_id', 'SELECT'),
    ('api_integrations', 'SELECT i.id, i.org_id, i.workspace_id, i.kind, i.name, i.config_encrypted, i.enabled, i.severity_filter,'
     ' i.target_ids, i.events, i.target_kinds, i.created_at FROM public.integrations i WHERE i.workspace_id',
     'SELECT, DELETE, INSERT (id, org_id, workspace_id, kind, name, config_encrypted, enabled, severity_filter, target_ids, events,'
     ' target_kinds), UPDATE (name, config_encrypted, enabled, severity_filter, target_ids, events)')) v (name, query, rights)
  LOOP
    EXECUTE format('CREATE OR REPLACE VIEW notify.%I WITH (security_barrier%s) AS %s%s', one.name,
                   CASE WHEN one.name <> 'api_findings' THEN ', check_option = cascaded' END, one.query, wall);
    IF gives THEN
      BEGIN
        EXECUTE format('ALTER VIEW notify.%I OWNER TO %I', one.name, product);
      EXCEPTION WHEN insufficient_privilege THEN
        NULL; -- PostgreSQL 16: a member that may not SET ROLE; the view works as its own, too
      END;
    END IF;
    EXECUTE format('COMMENT ON VIEW notify.%I IS %L', one.name, wanted);
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'notify_api') THEN
      EXECUTE format('GRANT %s ON TABLE notify.%I TO notify_api', one.rights, one.name);
    END IF;
  END LOOP;
  RETURN 'made';
END
$$;
COMMENT ON FUNCTION notify.make_api_views() IS 'Makes the views of the product''s tables that the API works on, if the caller may.';

-- PostgreSQL changes no type of a column that a view uses and drops none, so a migration of the product that wants to calls this
-- before. Refused to whoever could not make the views again. Returns dropped, or gone (nothing to do).
CREATE FUNCTION notify.drop_api_views() RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7310593858020254332);
  IF NOT notify.may_make_api_views() THEN
    RAISE EXCEPTION 'role % may not drop the views of the API, for it could not make them again', current_user
      USING ERRCODE = 'insufficient_privilege',
            HINT = 'Call it as the owner of the product''s tables, with USAGE and CREATE on schema notify, or as a superuser.';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'notify'::regnamespace
                 AND relname IN ('api_integrations', 'api_targets', 'api_workspaces', 'api_scans', 'api_findings')) THEN
    RETURN 'gone';
  END IF;
  DROP VIEW IF EXISTS notify.api_workspaces, notify.api_targets, notify.api_scans, notify.api_findings, notify.api_integrations;
  RETURN 'dropped';
END
$$;
COMMENT ON FUNCTION notify.drop_api_views() IS 'Drops the views of the product''s tables, for a migration of these; make_api_views() makes them again.';
