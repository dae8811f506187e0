'use strict';
/* What the database knows of events. Questions gather while one statement is under way, and the next one asks them all. */

const { Client } = require('pg');

const MOST = 200; // questions per statement
const TIME = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;

const FINDING = [
    'id',
    'pencheff_finding_id',
    'title',
    'severity',
    'category',
    'owasp_category',
    'cwe_id',
    'cvss_score',
    'cvss_vector',
    'endpoint',
    'parameter',
    'description',
    'remediation',
    'verification_status',
    'suppressed',
    'suppress_reason',
    'epss',
    'kev',
    'risk_score',
    'reachability',
    'resolved_at',
    'created_at',
];

/* LATERAL with OFFSET 0 leaves the planner no choice but a look-up by key for each element. */
const LOOK_UP = `
    SELECT x.n, s.workspace_id, left(s.error, 4096), t.id, t.name, t.base_url, t.kind, s.id, s.profile, s.status, s.grade,
           s.score,
           CASE WHEN jsonb_typeof(s.summary) = 'object' AND length(s.summary::text) <= 4096 THEN s.summary END,
           f.id, f.pencheff_finding_id, f.title, f.severity, f.category, f.owasp_category, f.cwe_id, f.cvss_score,
           f.cvss_vector, f.endpoint, f.parameter, left(f.description, 16384), left(f.remediation, 16384),
           f.verification_status, f.suppressed, f.suppress_reason, f.epss, f.kev, f.risk_score, f.reachability,
           to_char(f.resolved_at, ${TIME}), to_char(f.created_at, ${TIME})
      FROM unnest($1::int[], $2::uuid[], $3::uuid[]) AS x (n, scan, finding)
     CROSS JOIN LATERAL (SELECT * FROM public.scans WHERE id = x.scan OFFSET 0) s
     CROSS JOIN LATERAL (SELECT * FROM public.targets WHERE id = s.target_id OFFSET 0) t
      LEFT JOIN LATERAL (SELECT * FROM public.findings WHERE id = x.finding AND scan_id = s.id OFFSET 0) f ON true`;

const SEVERITIES = { info: 0, low: 1, medium: 2, high: 3, critical: 4 };

class Facts {
    constructor(row) {
        this.workspaceId = row[1];
        this.scanError = row[2];
        this.target = { id: row[3], name: row[4], url: row[5], kind: row[6] };
        this.scan = { id: row[7], profile: row[8], status: row[9], grade: row[10], score: row[11], summary: summary(row[12]) };
        this.finding = row[13] === null ? null : finding(row);
    }

    /* The finding's; one that is unknown counts as info. */
    get severity() {
        return SEVERITIES[this.finding.severity] ?? 0;
    }
}

function finding(row) {
    const made = {};
    for (let i = 0; i < FINDING.length; i++) made[FINDING[i]] = row[13 + i];
    const word = made.severity.toLowerCase();
    if (word in SEVERITIES) made.severity = word;
    return made;
}

/* A summary holds numbers; what is neither that nor a text is null. */
function summary(counts) {
    for (const name in counts) if (typeof counts[name] !== 'number' && typeof counts[name] !== 'string') counts[name] = null;
    return counts;
}

class Database {
    constructor(url) {
        const options = '-c timezone=UTC -c plan_cache_mode=force_generic_plan';
        this.client = new Client({ connectionString: url, options, pipeline: true });
        this.waiting = [];
        this.asking = false;
    }

    connect() {
        return this.client.connect();
    }

    /* Rows as arrays; NAME is that of the prepared statement. */
    async query(name, text, values) {
        return (await this.client.query({ name, text, values, rowMode: 'array' })).rows;
    }

    /* Facts, or null when one of them is missing. */
    lookUp(scanId, findingId) {
        return new Promise((resolve, reject) => {
            this.waiting.push({ scanId, findingId, resolve, reject });
            if (!this.asking) this.ask();
        });
    }

    async ask() {
        this.asking = true;
        while (this.waiting.length > 0) await this.askBatch(this.waiting.splice(0, MOST));
        this.asking = false;
    }

    async askBatch(questions) {
        const columns = [questions.map((_, n) => n), questions.map((q) => q.scanId), questions.map((q) => q.findingId)];
        try {
            for (const row of await this.query('look_up', LOOK_UP, columns)) {
                const question = questions[row[0]];
                if (!question.findingId || row[13] !== null) question.resolve(new Facts(row));
            }
            for (const question of questions) question.resolve(null); // does nothing where there was a row
        } catch (error) {
            for (const question of questions) question.reject(error);
        }
    }
}

module.exports = { Database, SEVERITIES };
