/*
 * dead_events - events that died before they reached any integration, which nobody was told of
 */
import { h, show, theirs } from './dom.js';
import { ask, pathOf } from './ask.js';
import { byReason, deadTabs } from './dead.js';
import { cell, table } from './delivery_rows.js';
import { empty, load, pager } from './load.js';
import { EVENTS, meaning, number, time, title } from './words.js';

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
    const list = h('section', { 'aria-label': 'Dead events' });
    let pages = [first()];
    let at = 0;

    async function page() {
        const found = await ask('GET', pages[at], { signal });
        if (found.data.length === 0 && !found.next)
            return empty('No event died', 'Each one that came was matched against the integrations of the workspace.');
        return [
            byReason(found.data).map(group),
            pager({
                pages,
                at,
                next: found.next,
                count: number(found.data.length),
                noun: 'dead events',
                go: (all, index) => {
                    pages = all;
                    at = index;
                    refresh();
                },
            }),
        ];
    }

    const refresh = () => load(list, page, { signal });
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
            h(
                'label',
                null,
                'Event',
                h(
                    'select',
                    {
                        onchange: (event) => {
                            type = event.target.value;
                            pages = [first()];
                            at = 0;
                            refresh();
                        },
                    },
                    h('option', { value: '' }, 'Every event'),
                    EVENTS.map((word) => h('option', { value: word }, title(word))),
                ),
            ),
        ),
        list,
    );
    refresh();
}
