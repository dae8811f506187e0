-- The role that the workers run under, and all it may do. Run this with psql after `notifyctl migrate`, as a
-- superuser, or as a role that owns both the product's tables and schema notify. Can be run again.
--
-- Then let the login role of database.url take it on, and name it in the configuration:
--   GRANT notify_worker TO your_login_role;
--   database = { role = "notify_worker"; };
--
-- Each right stands on a line of its own in exactly this form, because `notifyctl check` reads the lines to
-- find out which right is missing.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'notify_worker') THEN
    CREATE ROLE notify_worker NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- somebody else created it meanwhile
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
GRANT SELECT, INSERT, UPDATE ON TABLE notify.events TO notify_worker;
GRANT SELECT, INSERT, UPDATE ON TABLE notify.deliveries TO notify_worker;
GRANT SELECT, INSERT ON TABLE notify.attempts TO notify_worker;
GRANT SELECT ON TABLE notify.schema_migrations TO notify_worker;
