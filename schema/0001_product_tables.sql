-- The minimum of the product's tables, for a database that does not have them. A table that exists is left
-- alone, whoever owns it: existence is read from the catalog, which needs no right on the table. No foreign
-- keys: some of the tables may exist already and belong to another role.
DO $$
DECLARE
  present name[] := ARRAY(
    SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public');
BEGIN
  IF NOT 'orgs' = ANY (present) THEN
    CREATE TABLE IF NOT EXISTS public.orgs (
      id uuid PRIMARY KEY
    );
  END IF;

  IF NOT 'workspaces' = ANY (present) THEN
    CREATE TABLE IF NOT EXISTS public.workspaces (
      id uuid PRIMARY KEY,
      org_id uuid NOT NULL
    );
  END IF;

  IF NOT 'targets' = ANY (present) THEN
    CREATE TABLE IF NOT EXISTS public.targets (
      id uuid PRIMARY KEY,
      org_id uuid NOT NULL,
      workspace_id uuid NOT NULL,
      name varchar(200) NOT NULL,
      base_url varchar(2048) NOT NULL,
      repository_id uuid,
      kind varchar(16) NOT NULL
    );
    CREATE INDEX ix_targets_workspace_id ON public.targets (workspace_id);
  END IF;

  IF NOT 'scans' = ANY (present) THEN
    CREATE TABLE IF NOT EXISTS public.scans (
      id uuid PRIMARY KEY,
      target_id uuid NOT NULL,
      org_id uuid NOT NULL,
      workspace_id uuid NOT NULL,
      status varchar(32) NOT NULL,
      profile varchar(32) NOT NULL DEFAULT 'standard',
      summary jsonb,
      grade varchar(1),
      score integer,
      error text,
      started_at timestamptz,
      finished_at timestamptz,
      created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX ix_scans_workspace_created ON public.scans (workspace_id, created_at);
    CREATE INDEX ix_scans_target_created ON public.scans (target_id, created_at);
  END IF;

  IF NOT 'findings' = ANY (present) THEN
    CREATE TABLE IF NOT EXISTS public.findings (
      id uuid PRIMARY KEY,
      scan_id uuid NOT NULL,
      pencheff_finding_id varchar(64),
      title varchar(500) NOT NULL,
      severity varchar(16) NOT NULL,
      category varchar(64) NOT NULL,
      owasp_category varchar(32),
      cwe_id varchar(32),
      cvss_score double precision,
      cvss_vector varchar(200),
      endpoint varchar(2048),
      parameter varchar(200),
      description text,
      remediation text,
      verification_status varchar(32) NOT NULL DEFAULT 'unverified',
      suppressed boolean NOT NULL DEFAULT false,
      suppress_reason varchar(64),
      epss double precision,
      kev boolean NOT NULL DEFAULT false,
      risk_score double precision,
      reachability varchar(16),
      resolved_at timestamptz,
      created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX ix_findings_scan_id ON public.findings (scan_id);
  END IF;

  IF NOT 'integrations' = ANY (present) THEN
    CREATE TABLE IF NOT EXISTS public.integrations (
      id uuid PRIMARY KEY,
      org_id uuid NOT NULL,
      workspace_id uuid NOT NULL,
      kind varchar(32) NOT NULL,
      name varchar(200) NOT NULL,
      config_encrypted bytea,
      enabled boolean NOT NULL DEFAULT true,
      severity_filter varchar(16) NOT NULL DEFAULT 'high',
      target_ids uuid[],
      events varchar(32)[],
      target_kinds jsonb,
      created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX ix_integrations_workspace_id ON public.integrations (workspace_id);
  END IF;
END
$$;
