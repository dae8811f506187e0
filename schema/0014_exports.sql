-- Findings that somebody has sent to one integration himself, past its filters: events of their own with one delivery each.
ALTER TABLE notify.events ADD COLUMN export_id uuid;
COMMENT ON COLUMN notify.events.export_id IS 'The export that made it; none: a producer did.';
COMMENT ON COLUMN notify.changes.verb IS 'create, update, delete, export, cancel; replay, drop; token create, token revoke.';

-- The API puts exports into the ledger, and says when the mailbox that they are in is to be looked at.
CREATE OR REPLACE VIEW notify.api_events WITH (security_barrier, check_option = cascaded) AS
  SELECT * FROM notify.events
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid;
CREATE OR REPLACE VIEW notify.api_states WITH (security_barrier, check_option = cascaded) AS
  SELECT * FROM notify.integration_state
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid;

CREATE OR REPLACE FUNCTION notify.make_api_views() RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wanted CONSTANT text := 'What the API may see of the workspace in notify.workspace; of migration 14.';
  wall CONSTANT text := ' = nullif(current_setting(''notify.workspace'', true), '''')::uuid';
  product name;
  gives boolean;
  one record;
  exportable CONSTANT text := 'notify.api_exportable(uuid, uuid[], integer, integer, boolean)';
BEGIN
  PERFORM pg_advisory_xact_lock(7310593858020254332);
  IF 5 = (SELECT count(*) FROM pg_class WHERE relnamespace = 'notify'::regnamespace
          AND relname IN ('api_integrations', 'api_targets', 'api_workspaces', 'api_scans', 'api_findings') AND obj_description(oid, 'pg_class') = wanted)
     AND to_regprocedure('notify.api_exportable(uuid,uuid[],integer,integer,boolean)') IS NOT NULL THEN
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
  -- What can be exported: of a scan, or by name. A function and no view, so that columns of the product that only exports show
  -- can be altered without it knowing. It runs with the rights of the owner as the views do, and nobody else may call it.
  EXECUTE $create$
    CREATE OR REPLACE FUNCTION notify.api_exportable(of_scan uuid, named uuid[], least_rank integer, most integer, wants_facts boolean)
    RETURNS TABLE (id uuid, scan_id uuid, rank integer, severity text, title text, suppressed boolean, facts jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
      SELECT f.id, f.scan_id, f.rank, f.severity, f.title, f.suppressed,
        CASE WHEN wants_facts AND NOT f.suppressed AND f.rank >= least_rank THEN jsonb_build_object(
          'scan', jsonb_build_object('id', s.id, 'workspace_id', s.workspace_id, 'status', s.status, 'profile', s.profile,
            'grade', s.grade, 'score', s.score, 'error', left(s.error, 4096),
            'summary', CASE WHEN jsonb_typeof(s.summary) = 'object' AND octet_length(s.summary::text) <= 4096 THEN s.summary END),
          'target', jsonb_build_object('id', t.id, 'name', t.name, 'base_url', t.base_url, 'kind', t.kind),
          'finding', (SELECT to_jsonb(w) - ARRAY['description', 'remediation'] FROM public.findings w WHERE w.id = f.id)
            || (SELECT jsonb_build_object('description', left(w.description, 4096), 'remediation', left(w.remediation, 4096))
                FROM public.findings w WHERE w.id = f.id)) END
      FROM (
        SELECT o.id, o.scan_id, o.severity::text, o.title::text, o.suppressed,
          coalesce(array_position(ARRAY['info', 'low', 'medium', 'high', 'critical'], lower(o.severity)) - 1, 0) AS rank
        FROM (SELECT o.id, o.scan_id, o.severity, o.title, o.suppressed FROM public.findings o WHERE o.scan_id = of_scan
              UNION ALL
              SELECT o.id, o.scan_id, o.severity, o.title, o.suppressed
              FROM (SELECT DISTINCT n.id FROM unnest(named) n (id)) n
              CROSS JOIN LATERAL (SELECT * FROM public.findings o WHERE o.id = n.id AND of_scan IS NULL OFFSET 0) o) o) f
      CROSS JOIN LATERAL (SELECT * FROM public.scans s WHERE s.id = f.scan_id
        AND s.workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid OFFSET 0) s
      CROSS JOIN LATERAL (SELECT * FROM public.targets t WHERE t.id = s.target_id OFFSET 0) t
      ORDER BY f.rank DESC, f.id LIMIT most
    $body$
  $create$;
  EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', exportable);
  IF gives THEN
    BEGIN
      EXECUTE format('ALTER FUNCTION %s OWNER TO %I', exportable, product);
    EXCEPTION WHEN insufficient_privilege THEN
      NULL; -- as above
    END;
  END IF;
  EXECUTE format('COMMENT ON FUNCTION %s IS %L', exportable, wanted);
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'notify_api') THEN
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO notify_api', exportable);
  END IF;
  RETURN 'made';
END
$$;
