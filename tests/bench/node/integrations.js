'use strict';
/* The integrations of a workspace, read at most once a second, their filters, and their settings, decrypted once. */

const crypto = require('node:crypto');

const { SEVERITIES } = require('./database');
const { poolOf } = require('./post');

const LIFE = 1000; // milliseconds that a workspace's rows are believed
const SELECT = `
    SELECT id, enabled, target_ids::text[], events::text[], target_kinds, severity_filter, config_encrypted
      FROM public.integrations WHERE workspace_id = $1 AND kind = 'webhook' ORDER BY id`;

/* Fernet: version, time, IV, AES-128-CBC, HMAC-SHA256; the first half of a key signs, the second one encrypts. */
function fernetOpen(keys, token) {
    const bytes = Buffer.from(token.toString('latin1'), 'base64url');
    const [signed, mac] = [bytes.subarray(0, -32), bytes.subarray(-32)];
    const key = keys.find((one) => crypto.createHmac('sha256', one.subarray(0, 16)).update(signed).digest().equals(mac));
    if (!key) throw new Error('none of the keys opens the settings');
    const cipher = crypto.createDecipheriv('aes-128-cbc', key.subarray(16), signed.subarray(9, 25));
    return Buffer.concat([cipher.update(signed.subarray(25)), cipher.final()]).toString();
}

function readSettings(json) {
    let config = JSON.parse(json);
    if (typeof config.config === 'string' && Object.keys(config).length === 1) config = JSON.parse(config.config);
    const url = new URL(config.webhook_url);
    const secret = config.hmac_secret || config.webhook_secret || null;
    const decoded = secret?.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : secret;
    return {
        pool: poolOf(url.origin),
        path: url.pathname + url.search,
        headers: Object.entries(config.headers ?? {}).flat(),
        secret,
        key: decoded, // the secret as Standard Webhooks means it
    };
}

class Integration {
    constructor(owner, row) {
        this.owner = owner;
        [this.id, this.enabled, this.targetIds, this.events, this.targetKinds, this.severityFilter, this.sealed] = row;
        this.least = SEVERITIES[this.severityFilter.toLowerCase()] ?? SEVERITIES.high;
    }

    /* In the order of docs/destinations/webhook.md: empty lists are all targets and all events, but no kind. */
    passes(eventType, facts) {
        if (!this.enabled) return false;
        if (this.targetIds?.length && !this.targetIds.includes(facts.target.id)) return false;
        if (this.events?.length && !this.events.includes(eventType)) return false;
        const kinds = this.targetKinds;
        if (kinds !== null && !(Array.isArray(kinds) && kinds.includes(facts.target.kind))) return false;
        return facts.finding === null || facts.severity >= this.least;
    }

    settings() {
        this.opened ??= this.owner.open(this.sealed);
        return this.opened;
    }
}

class Integrations {
    constructor(database, keys) {
        this.database = database;
        this.keys = keys.map((key) => Buffer.from(key, 'base64url'));
        this.workspaces = new Map(); // id: when its rows were asked for, the promise of them, the rows
        this.opened = new Map();
    }

    /* Those of a workspace that were read not long ago. */
    known(workspaceId) {
        const entry = this.workspaces.get(workspaceId);
        return entry && performance.now() - entry.at < LIFE ? entry.rows : undefined;
    }

    /* Once for all who ask while it is under way. */
    async read(workspaceId) {
        const entry = this.workspaces.get(workspaceId);
        if (entry && performance.now() - entry.at < LIFE) return entry.promise;
        const fresh = { at: performance.now(), promise: this.select(workspaceId) };
        this.workspaces.set(workspaceId, fresh);
        fresh.rows = await fresh.promise;
        return fresh.rows;
    }

    async select(workspaceId) {
        const rows = await this.database.query('integrations', SELECT, [workspaceId]);
        return rows.map((row) => new Integration(this, row));
    }

    open(sealed) {
        const token = sealed.toString('latin1');
        let settings = this.opened.get(token);
        if (!settings) {
            settings = readSettings(fernetOpen(this.keys, sealed));
            this.opened.set(token, settings);
        }
        return settings;
    }
}

module.exports = { Integrations };
