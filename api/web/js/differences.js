/*
 * differences - what of an integration is not as it was
 */
import { h, theirs } from './dom.js';
import { joined, title } from './words.js';

const LABELS = { target_ids: 'targets', severity_filter: 'severity' };

/** What a form can change besides the settings, which nobody sees. */
export const FIELDS = ['name', 'severity_filter', 'events', 'target_ids'];

/** Lists are the same in any order. */
export function same(left, right) {
    const plain = (value) => JSON.stringify(Array.isArray(value) ? [...value].sort() : (value ?? null));
    return plain(left) === plain(right);
}

/** Members of NOW that differ from SEEN. */
export function changes(seen, now) {
    return Object.fromEntries(Object.entries(now).filter(([name, value]) => !same(seen[name], value)));
}

function told(name, value, targets) {
    if (name === 'enabled') return value ? 'yes' : 'no';
    if (value === null) return 'all';
    if (name === 'target_ids') return joined(value.map((id) => targets.all.find((one) => one.id === id)?.name ?? id));
    return Array.isArray(value) ? value.map((one) => (name === 'events' ? title(one) : one)).join(', ') : String(value);
}

/** In words what is different in AFTER, as pieces to be shown, one list for each. */
export function changesInWords(before, after, targets) {
    const ours = Object.fromEntries(['enabled', ...FIELDS].map((name) => [name, after[name]]));
    const list = Object.entries(changes(before, ours)).map(([name, value]) => [
        `${LABELS[name] ?? name}: `,
        theirs(told(name, value, targets)),
    ]);
    return list.length ? list : ['its settings, or something that was changed back'];
}
