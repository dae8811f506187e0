/*
 * words - what the product calls things, for people
 *
 * The words and their explanations come from the server (lists.js is made of its tables); how they are written stands here.
 */
import lists from './lists.js';
import { h } from './dom.js';

export const EVENTS = Object.keys(lists.events);
export const SEVERITIES = Object.keys(lists.severities); // from info on
export const HEALTHS = Object.keys(lists['health-states']);
export const STATES = Object.keys(lists.states);
export const KINDS = Object.keys(lists.kinds);
export const REASONS = Object.keys(lists.reasons);

/** "finding_new" as "Finding new", "http_status" as "HTTP status". */
export function title(word) {
    const text = String(word ?? '')
        .replaceAll('_', ' ')
        .replace(/\b(dns|http|id|tls|url)\b/g, (short) => short.toUpperCase());
    return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "google_chat" as "Google Chat". */
export function kindName(kind) {
    return lists.kinds[kind] ?? title(kind);
}

/** What a word of a list means; "" for one that this version does not know. */
export function meaning(list, word) {
    return lists[list]?.[word] ?? '';
}

/** "high" as "high and critical": the severities that pass. */
export function routed(severity) {
    const from = SEVERITIES.indexOf(severity);
    if (from < 0) return 'high and critical';
    const passing = SEVERITIES.slice(from);
    if (from === 0) return `every severity: ${joined(passing)}`;
    return passing.length === 1 ? `${passing[0]} only` : joined(passing);
}

export function joined(words) {
    return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

export function plural(count, one, many = `${one}s`) {
    return `${number(count)} ${count === 1 ? one : many}`;
}

const numbers = new Intl.NumberFormat('en');

export function number(value) {
    return value === null || value === undefined ? '–' : numbers.format(value);
}

/** What an integration lets pass, in a few words. */
export function scopeOf(integration) {
    const targets = integration.target_ids?.length ? plural(integration.target_ids.length, 'target') : 'every target';
    const events = integration.events?.length ? plural(integration.events.length, 'event type') : 'every event';
    return `${targets} · ${events} · ${integration.severity_filter} and above`
        .replace('critical and above', 'critical only')
        .replace('info and above', 'every severity');
}

/* ---- states ---- */

const TONES = {
    delivered: 'good',
    sending: 'idle',
    waiting: 'warn',
    deferred: 'warn',
    dead: 'bad',
    canceled: 'idle',
    dropped: 'idle',
    healthy: 'good',
    failing: 'warn',
    circuit_open: 'bad',
    broken: 'bad',
    disabled: 'idle',
    unknown: 'idle',
};

/** A state of a delivery, or of an integration's health. */
export function badge(word) {
    const means = meaning('states', word) || meaning('health-states', word);
    return h('span', { class: `badge ${TONES[word] ?? 'idle'}`, title: means || false }, healthName(word));
}

export function healthName(word) {
    return word === 'unknown' ? 'Nothing sent yet' : title(word);
}

/* ---- times ---- */

const STEPS = [
    [60, 'second'],
    [3600, 'minute', 60],
    [86400, 'hour', 3600],
    [Infinity, 'day', 86400],
];
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });

export function ago(text) {
    const seconds = (Date.parse(text) - Date.now()) / 1000;
    if (Number.isNaN(seconds)) return String(text);
    if (Math.abs(seconds) < 5) return 'now';
    const [, unit, size = 1] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
    return relative.format(Math.round(seconds / size), unit);
}

/** As a clock and a calendar show it here. */
export function exact(text) {
    const at = new Date(text);
    if (Number.isNaN(at.getTime())) return String(text);
    const two = (value) => String(value).padStart(2, '0');
    return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** The hour and the minute, as a clock shows them here. */
export function clock(milliseconds) {
    return exact(milliseconds).slice(11, 16);
}

/** A time of the API's as a node; NONE: what to say without one. */
export function time(text, none = '–') {
    return text ? h('time', { datetime: text, title: exact(text) }, ago(text)) : none;
}
