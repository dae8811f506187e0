-- Findings that somebody has sent to one integration himself, past its filters: events of their own with one delivery each.
ALTER TABLE notify.events ADD COLUMN export_id uuid, ADD COLUMN export_to uuid;
COMMENT ON COLUMN notify.events.export_id IS 'The export that made it; none: a producer did.';
COMMENT ON COLUMN notify.events.export_to IS 'Of an export: the integration to which it goes.';
COMMENT ON COLUMN notify.changes.verb IS 'create, update, delete, export, cancel; replay, drop; token create, token revoke.';

-- The API puts exports into the ledger, and says when the mailbox that they are in is to be looked at.
CREATE OR REPLACE VIEW notify.api_events WITH (security_barrier, check_option = cascaded) AS
  SELECT * FROM notify.events
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid;
CREATE OR REPLACE VIEW notify.api_states WITH (security_barrier, check_option = cascaded) AS
  SELECT * FROM notify.integration_state
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid;
-- What is sent depends on what was told before. A claim whose lease is over, or that is held, leaves behind what nobody knows.
CREATE OR REPLACE VIEW notify.api_refs WITH (security_barrier) AS
  SELECT integration_id, workspace_id, finding_id, state, key, fingerprint, severity, title, told, updated_at,
    CASE WHEN lease_until IS NULL THEN unsure_since ELSE coalesce(unsure_since, claimed_at) END AS unsure_since
  FROM notify.external_refs
  WHERE workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid;

-- Until make_api_views() has made them, by who may: what exports read is not there.
CREATE FUNCTION notify.api_export_sum(of_scan uuid, named uuid[], least_rank integer)
RETURNS TABLE (meant bigint, low bigint, suppressed bigint, known uuid[]) LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'function notify.api_export_sum is not made yet' USING ERRCODE = 'undefined_function', HINT = 'Run schema/roles.sql.';
END
$$;
CREATE FUNCTION notify.api_exportable(of_scan uuid, named uuid[], least_rank integer, most integer, facts_of integer)
RETURNS TABLE (n bigint, id uuid, scan_id uuid, rank integer, severity text, title text, facts jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'function notify.api_exportable is not made yet' USING ERRCODE = 'undefined_function', HINT = 'Run schema/roles.sql.';
END
$$;

CREATE OR REPLACE FUNCTION notify.make_api_views() RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  wanted CONSTANT text := 'What the API may see of the workspace in notify.workspace; of migration 14.';
  wall CONSTANT text := ' = nullif(current_setting(''notify.workspace'', true), '''')::uuid';
  product name;
  gives boolean;
  one record;
  exportable text;
  found CONSTANT text := $found$
    SELECT o.id, o.scan_id, o.severity::text AS severity, left(o.title, 200) AS title, coalesce(o.suppressed, false) AS is_suppressed,
      coalesce(array_position(ARRAY['info', 'low', 'medium', 'high', 'critical'], lower(o.severity::text COLLATE "C")) - 1, 0) AS rank
    FROM (SELECT o.id, o.scan_id, o.severity, o.title, o.suppressed FROM public.findings o WHERE o.scan_id = of_scan
          UNION ALL
          SELECT o.id, o.scan_id, o.severity, o.title, o.suppressed FROM (SELECT DISTINCT u.id FROM unnest(named) u (id)) u
          CROSS JOIN LATERAL (SELECT * FROM public.findings o WHERE o.id = u.id AND of_scan IS NULL OFFSET 0) o) o
    CROSS JOIN LATERAL (SELECT s.target_id FROM public.scans s WHERE s.id = o.scan_id
      AND s.workspace_id = nullif(current_setting('notify.workspace', true), '')::uuid OFFSET 0) s
    WHERE EXISTS (SELECT FROM public.targets t WHERE t.id = s.target_id)
  $found$;
BEGIN
  PERFORM pg_advisory_xact_lock(7310593858020254332);
  IF 5 = (SELECT count(*) FROM pg_class WHERE relnamespace = 'notify'::regnamespace
          AND relname IN ('api_integrations', 'api_targets', 'api_workspaces', 'api_scans', 'api_findings') AND obj_description(oid, 'pg_class') = wanted)
     AND 2 = (SELECT count(*) FROM pg_proc WHERE pronamespace = 'notify'::regnamespace
              AND proname IN ('api_export_sum', 'api_exportable') AND obj_description(oid, 'pg_proc') = wanted) THEN
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
    ('api_findings', 'SELECT f.id, f.scan_id, f.severity, s.workspace_id, f.created_at FROM public.findings f'
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
  -- What can be exported: of a scan, or by name. Functions and no views, so that the product may alter columns that only exports
  -- show. They run with the rights of the owner as the views do, and nobody else may call them. First how many are what, then
  -- those that are meant, worst first, with what is told of the first ones.
  BEGIN
    DROP FUNCTION IF EXISTS notify.api_export_sum(uuid, uuid[], integer);
    DROP FUNCTION IF EXISTS notify.api_exportable(uuid, uuid[], integer, integer, integer);
  EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'role % may not replace the functions of exports, so there are no exports', current_user
      USING HINT = 'Run schema/roles.sql as a superuser, or as the owner of schema notify.';
    RETURN 'made';
  END;
  EXECUTE format($create$
    CREATE FUNCTION notify.api_export_sum(of_scan uuid, named uuid[], least_rank integer)
    RETURNS TABLE (meant bigint, low bigint, suppressed bigint, known uuid[])
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
      SELECT count(*) FILTER (WHERE NOT f.is_suppressed AND f.rank >= least_rank), count(*) FILTER (WHERE NOT f.is_suppressed AND f.rank < least_rank),
        count(*) FILTER (WHERE f.is_suppressed), CASE WHEN of_scan IS NULL THEN array_agg(f.id) END
      FROM (%1$s) f
    $body$
  $create$, found);
  EXECUTE format($create$
    CREATE FUNCTION notify.api_exportable(of_scan uuid, named uuid[], least_rank integer, most integer, facts_of integer)
    RETURNS TABLE (n bigint, id uuid, scan_id uuid, rank integer, severity text, title text, facts jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
      SELECT m.n, m.id, m.scan_id, m.rank, m.severity, m.title, x.facts
      FROM (SELECT row_number() OVER (ORDER BY f.rank DESC, f.id) AS n, f.* FROM (%1$s) f
            WHERE NOT f.is_suppressed AND f.rank >= least_rank ORDER BY f.rank DESC, f.id LIMIT most) m
      LEFT JOIN LATERAL (SELECT jsonb_build_object(
          'scan', jsonb_build_object('id', s.id, 'workspace_id', s.workspace_id, 'status', s.status, 'profile', s.profile, 'grade', s.grade,
            'score', s.score, 'error', left(s.error, 4096),
            'summary', CASE WHEN jsonb_typeof(s.summary) = 'object' AND octet_length(s.summary::text) <= 4096 THEN s.summary END),
          'target', jsonb_build_object('id', t.id, 'name', t.name, 'base_url', t.base_url, 'kind', t.kind),
          'finding', jsonb_build_object('id', w.id, 'pencheff_finding_id', w.pencheff_finding_id, 'title', w.title, 'severity', w.severity,
            'category', w.category, 'owasp_category', w.owasp_category, 'cwe_id', w.cwe_id, 'cvss_score', w.cvss_score,
            'cvss_vector', w.cvss_vector, 'endpoint', w.endpoint, 'parameter', w.parameter, 'description', left(w.description, 16384),
            'remediation', left(w.remediation, 16384), 'verification_status', w.verification_status, 'suppressed', w.suppressed,
            'suppress_reason', w.suppress_reason, 'epss', w.epss, 'kev', w.kev, 'risk_score', w.risk_score,
            'reachability', w.reachability, 'resolved_at', w.resolved_at, 'created_at', w.created_at)) AS facts
        FROM public.findings w, public.scans s, public.targets t
        WHERE w.id = m.id AND s.id = m.scan_id AND t.id = s.target_id OFFSET 0) x ON m.n <= facts_of
      ORDER BY m.n
    $body$
  $create$, found);
  FOREACH exportable IN ARRAY ARRAY['notify.api_export_sum(uuid, uuid[], integer)',
                                    'notify.api_exportable(uuid, uuid[], integer, integer, integer)'] LOOP
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
  END LOOP;
  RETURN 'made';
END
$$;
