/*
 * delivery_rows - deliveries as a table, and the addresses of their pages
 */
import { h, theirs } from './dom.js';
import { badge, kindName, meaning, time, title } from './words.js';

export function deliveryPath(one) {
    return `/deliveries/${encodeURIComponent(one.event_id)}/${encodeURIComponent(one.integration_id)}`;
}

/** A cell that says of what it is where the table's head cannot be seen. The roles hold however it is laid out. */
export function cell(label, ...content) {
    return h('td', { role: 'cell', 'data-label': label }, h('div', null, content));
}

export function table(label, heads, rows) {
    return h(
        'table',
        { role: 'table', 'aria-label': label },
        h(
            'thead',
            { role: 'rowgroup' },
            h(
                'tr',
                { role: 'row' },
                heads.map((one) =>
                    one === ''
                        ? h('th', { role: 'columnheader', class: 'tick' }, h('span', { class: 'hidden' }, 'Chosen'))
                        : h('th', { role: 'columnheader', scope: 'col' }, one),
                ),
            ),
        ),
        h('tbody', { role: 'rowgroup' }, rows),
    );
}

/** What went wrong, if anything did, in a line. */
function outcome(one) {
    const word = one.reason ?? (one.state === 'delivered' ? null : one.error);
    const status = one.status ? `status ${one.status}` : null;
    const next = one.state === 'waiting' && one.due_at ? ['next attempt ', time(one.due_at)] : null;
    return [
        word && h('span', { title: meaning('reasons', word) || meaning('errors', word) || false }, title(word)),
        word && status && ', ',
        status && h('span', { class: 'soft' }, status),
        next && h('div', { class: 'small soft' }, next),
        one.maybe_duplicate && h('div', { class: 'small soft' }, 'may have arrived twice'),
    ];
}

function about(one) {
    const what = one.finding_id ? `finding ${one.finding_id}` : one.scan_id ? `scan ${one.scan_id}` : one.event_id;
    return h('div', { class: 'small soft' }, theirs(what, { class: 'mono' }));
}

/** WHERE: with its integration. TICK: makes the box that chooses a row. */
export function deliveryTable(rows, { where = true, tick = null } = {}) {
    const heads = [tick && '', 'State', 'Event', where && 'Integration', 'Outcome', 'Attempt', 'Changed'].filter(
        (one) => one || one === '',
    );
    return table(
        'Deliveries',
        heads.filter((one) => one !== null),
        rows.map((one) =>
            h(
                'tr',
                { role: 'row' },
                tick && h('td', { role: 'cell', class: 'tick', 'data-label': 'Chosen' }, tick(one)),
                cell('State', badge(one.state)),
                cell('Event', h('a', { href: `#${deliveryPath(one)}` }, title(one.event_type) || 'Event'), about(one)),
                where &&
                    cell(
                        'Integration',
                        one.integration_name === null
                            ? h('span', { class: 'soft' }, 'deleted')
                            : h('a', { href: `#/integrations/${encodeURIComponent(one.integration_id)}` }, theirs(one.integration_name)),
                        h('div', { class: 'small soft' }, one.integration_kind ? kindName(one.integration_kind) : ''),
                    ),
                cell('Outcome', outcome(one)),
                cell('Attempt', h('span', { class: 'count' }, one.attempt)),
                cell('Changed', time(one.updated_at)),
            ),
        ),
    );
}
