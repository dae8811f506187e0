/*
 * dead_events - events that died before they reached any integration, which nobody was told of
 */
import { h, show, theirs } from './dom.js';
import { pathOf } from './ask.js';
import { byReason, deadTabs } from './dead.js';
import { cell, table } from './delivery_rows.js';
import { empty } from './load.js';
import { choice, noneHere, paging } from './pages.js';
import { EVENTS, meaning, time, title } from './words.js';

function group([word, rows]) {
    return h(
        'section',
        { class: 'card framed group' },
        h(
            'div',
            { class: 'reason stack-small' },
            h('h2', null, `${title(word)} `, h('span', { class: 'soft count' }, `(${rows.length} here)`)),
            h('p', { class: 'small soft' }, meaning('reasons', word)),
        ),
        table(
            'Dead events',
            ['Event', 'About', 'Seen'],
            rows.map((one) =>
                h(
                    'tr',
                    { role: 'row' },
                    cell('Event', title(one.event_type) || 'Event', h('div', { class: 'small soft mono' }, theirs(one.id))),
                    cell(
                        'About',
                        one.finding_id && h('div', { class: 'mono' }, `finding ${one.finding_id}`),
                        one.scan_id && h('div', { class: 'mono' }, `scan ${one.scan_id}`),
                        one.error && h('p', null, theirs(one.error)),
                    ),
                    cell('Seen', time(one.first_seen)),
                ),
            ),
        ),
    );
}

export default function deadEvents(box, { signal }) {
    let type = '';
    const first = () => pathOf('/events', { limit: 100, state: 'dead', event_type: type });
    const section = h('section', { 'aria-label': 'Dead events' });
    const draw = (rows, { isOnly }) => {
        if (rows.length) return byReason(rows).map(group);
        if (!isOnly) return noneHere();
        return type
            ? empty('Nothing matches', 'No event of this type died.')
            : empty('No event died', 'Each one that came was matched against the integrations of the workspace.');
    };
    const list = paging({ box: section, first, draw, noun: 'dead events', signal });
    show(
        box,
        h('div', { class: 'head' }, h('h1', null, 'Dead letters')),
        deadTabs('#/dead/events'),
        h(
            'p',
            { class: 'soft' },
            'Nobody was told of these. An operator can begin them again with notifyctl dead replay, when what is wrong was mended.',
        ),
        h(
            'form',
            { class: 'filters', onsubmit: (event) => event.preventDefault() },
            choice('Event', EVENTS, {
                change: (word) => {
                    type = word;
                    list.restart();
                },
                all: 'Every event',
                name: title,
            }),
        ),
        section,
    );
    list.refresh();
}
