'use strict';
/* The body and the headers of a webhook's request, as docs/destinations/webhook.md has them. */

const crypto = require('node:crypto');

/* Three characters that notifyd escapes in another way than V8, and the escapes that must not be taken for them. */
const ESCAPES = { '\x7f': '\\u007f', '\\b': '\\u0008', '\\f': '\\u000c' };
const HAS_ODD = /\x7f|\\[bf]/;
const ODD = /\x7f|\\./g;

/* The same for all integrations of an event. */
function buildBody(event, facts) {
    const text = JSON.stringify({
        tool: 'pencheff',
        version: '1',
        event: event.type,
        id: event.id,
        timestamp: new Date().toISOString(),
        workspace_id: facts.workspaceId,
        target: facts.target,
        scan: facts.scan,
        finding: facts.finding,
        change_summary: event.changeSummary,
        error: event.error ?? (event.type === 'scan_failed' ? facts.scanError : null),
    });
    return Buffer.from(HAS_ODD.test(text) ? text.replace(ODD, (found) => ESCAPES[found] ?? found) : text);
}

const sha256 = crypto.hash ? (text) => crypto.hash('sha256', text) : (text) => crypto.createHash('sha256').update(text).digest('hex');

/* Names and values in turn, as undici takes them. */
function buildHeaders(settings, eventId, integrationId, body) {
    const webhookId = sha256(eventId + integrationId).slice(0, 32);
    const now = String(Math.floor(Date.now() / 1000));
    const headers = [
        'Content-Type',
        'application/json',
        'User-Agent',
        'pencheff-notify-bench/node',
        'X-Pencheff-Timestamp',
        now,
        'webhook-id',
        webhookId,
        'webhook-timestamp',
        now,
    ];
    if (settings.secret) {
        const own = crypto.createHmac('sha256', settings.secret).update(body).digest('hex');
        const standard = crypto.createHmac('sha256', settings.key).update(`${webhookId}.${now}.`).update(body).digest('base64');
        headers.push('X-Pencheff-Signature', `sha256=${own}`, 'webhook-signature', `v1,${standard}`);
    }
    return headers.concat(settings.headers);
}

module.exports = { buildBody, buildHeaders };
