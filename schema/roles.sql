-- The roles that the workers and the API run under, and all that they may do. Run it with psql after `notifyctl migrate`,
-- in the same database, as the owner of the product's tables and of schema notify. The owner needs CREATEROLE only when
-- the roles notify_worker and notify_api do not exist yet; a superuser may run it too. It stops at the first error and
-- can be run again.
--
-- Then let the login role of database.url take the roles on, and name them in the configuration:
--   GRANT notify_worker, notify_api TO notify;
--   database = { role = "notify_worker"; };
--   api = { role = "notify_api"; };
--
-- Each right stands on a line of its own in exactly this form, because `notifyctl check` reads the lines to
-- find out which right is missing.
\set ON_ERROR_STOP on

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'notify') THEN
    RAISE EXCEPTION 'there is no schema notify in database %', current_database()
      USING HINT = 'Run notifyctl migrate on this database first.';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'notify_worker') THEN
    CREATE ROLE notify_worker NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN
    NULL; -- somebody else created it meanwhile
  WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'role % may not create the role notify_worker', current_user
      USING HINT = 'Let a superuser run CREATE ROLE notify_worker; CREATE ROLE notify_api; and then run this file again.';
END
$$;

-- What an event is about, and who wants to hear of it.
GRANT USAGE ON SCHEMA public TO notify_worker;
GRANT SELECT (id, name, base_url, kind) ON TABLE public.targets TO notify_worker;
GRANT SELECT (id, target_id, workspace_id, status, profile, summary, grade, score, error) ON TABLE public.scans TO notify_worker;
GRANT SELECT (id, scan_id, pencheff_finding_id, title, severity, category, owasp_category, cwe_id, cvss_score, cvss_vector, endpoint, parameter, description, remediation, verification_status, suppressed, suppress_reason, epss, kev, risk_score, reachability, resolved_at, created_at) ON TABLE public.findings TO notify_worker;
GRANT SELECT (id, workspace_id, kind, name, config_encrypted, enabled, severity_filter, target_ids, events, target_kinds) ON TABLE public.integrations TO notify_worker;

-- The ledger.
GRANT USAGE ON SCHEMA notify TO notify_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE notify.events TO notify_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE notify.deliveries TO notify_worker;
GRANT SELECT, INSERT, UPDATE ON TABLE notify.attempts TO notify_worker;
GRANT SELECT, INSERT, UPDATE ON TABLE notify.integration_state TO notify_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE notify.stats_hourly TO notify_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE notify.external_refs TO notify_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE notify.shadow TO notify_worker;
GRANT SELECT ON TABLE notify.schema_migrations TO notify_worker;

-- What the API keeps, to delete it when it is old; nothing of tokens but their age.
GRANT SELECT, DELETE ON TABLE notify.kept_answers TO notify_worker;
GRANT SELECT (id, at) ON TABLE notify.changes TO notify_worker;
GRANT DELETE ON TABLE notify.changes TO notify_worker;
GRANT SELECT (id, revoked_at, expires_at) ON TABLE notify.tokens TO notify_worker;
GRANT DELETE ON TABLE notify.tokens TO notify_worker;

-- The API, and notifyctl's commands integration and token. No right on the product's tables: there is a view of what is
-- needed of them, for one workspace at a time, which belongs to the owner of the tables.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'notify_api') THEN
    CREATE ROLE notify_api NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN
    NULL; -- somebody else created it meanwhile
  WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'role % may not create the role notify_api', current_user
      USING HINT = 'Workers have what they need. For the API, let a superuser run CREATE ROLE notify_api; and then run this file again.';
END
$$;
DO $$
BEGIN
  IF notify.make_api_views() = 'barred' THEN
    RAISE EXCEPTION 'role % may not make the views of the API', current_user
      USING HINT = 'Workers have what they need. For the API, run this file as the owner of the product''s tables and of schema notify, or as a superuser.';
  END IF;
END
$$;

GRANT USAGE ON SCHEMA notify TO notify_api;
GRANT SELECT ON TABLE notify.schema_migrations TO notify_api;
GRANT SELECT ON TABLE notify.api_workspaces TO notify_api;
GRANT SELECT ON TABLE notify.api_targets TO notify_api;
GRANT SELECT, DELETE ON TABLE notify.api_integrations TO notify_api;
GRANT INSERT (id, org_id, workspace_id, kind, name, config_encrypted, enabled, severity_filter, target_ids, events, target_kinds) ON TABLE notify.api_integrations TO notify_api;
GRANT UPDATE (name, config_encrypted, enabled, severity_filter, target_ids, events) ON TABLE notify.api_integrations TO notify_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE notify.api_keys TO notify_api;
GRANT SELECT, INSERT ON TABLE notify.api_audit TO notify_api;
-- The ledger: to read; what is dead may be begun again or given up; exports are put into it, and into a mailbox.
GRANT SELECT ON TABLE notify.api_scans TO notify_api;
GRANT SELECT ON TABLE notify.api_findings TO notify_api;
GRANT SELECT ON TABLE notify.api_events TO notify_api;
GRANT INSERT (id, content_hash, workspace_id, scan_id, event_type, finding_id, state, first_seen, finished_at, considered, matched, export_id, export_to) ON TABLE notify.api_events TO notify_api;
GRANT SELECT ON TABLE notify.api_deliveries TO notify_api;
GRANT UPDATE (state, attempt, owner, lease_until, due_at, reason, owed, swept_at, updated_at) ON TABLE notify.api_deliveries TO notify_api;
GRANT INSERT (event_id, integration_id, workspace_id, state, attempt, rank, due_at) ON TABLE notify.api_deliveries TO notify_api;
GRANT SELECT ON TABLE notify.api_recent TO notify_api;
GRANT SELECT ON TABLE notify.api_attempts TO notify_api;
GRANT UPDATE (attempt) ON TABLE notify.api_attempts TO notify_api;
GRANT SELECT ON TABLE notify.api_states TO notify_api;
GRANT INSERT (integration_id, workspace_id, wake_at, resting, together) ON TABLE notify.api_states TO notify_api;
GRANT UPDATE (wake_at, resting, together, updated_at) ON TABLE notify.api_states TO notify_api;
GRANT EXECUTE ON FUNCTION notify.api_export_sum(uuid, uuid[], integer) TO notify_api;
GRANT EXECUTE ON FUNCTION notify.api_exportable(uuid, uuid[], integer, integer, integer) TO notify_api;
GRANT SELECT ON TABLE notify.api_refs TO notify_api;
GRANT SELECT ON TABLE notify.api_hours TO notify_api;
GRANT SELECT ON TABLE notify.api_recent_events TO notify_api;
-- Tokens are looked up before the workspace is known. Nothing can be taken from a token but by revoking it.
GRANT SELECT, INSERT ON TABLE notify.tokens TO notify_api;
GRANT UPDATE (revoked_at, last_used_at) ON TABLE notify.tokens TO notify_api;
