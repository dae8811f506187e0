/*
 * overview - how everything is: totals, and a card for each integration
 */
import { announce, calm, h, show, theirs } from './dom.js';
import { ask, pathOf } from './ask.js';
import { chart } from './chart.js';
import { Live } from './live.js';
import { PAUSED, empty, every, load, renew } from './load.js';
import { choice, paging } from './pages.js';
import { mark } from './marks.js';
import { mayWrite } from './session.js';
import { HEALTHS, KINDS, badge, exact, healthName, kindName, number, scopeOf, time, title } from './words.js';

const SECONDS = 10;
const CARDS_SECONDS = 30; // a page of them is large, and their figures come once a minute
const LIMIT = 24; // cards are large, and each has 24 hours with it

function total(label, value, href, tone, more = false) {
    const parts = [h('b', null, number(value), more && ' or more'), h('span', { class: 'soft small' }, label)];
    const properties = { class: `card total ${value ? (tone ?? '') : ''}` };
    return href ? h('a', { ...properties, href }, parts) : h('div', properties, parts);
}

function totals(stats) {
    const of = (state) => stats.deliveries.find((one) => one.state === state) ?? { count: 0, last_24_hours: 0, more: false };
    const now = (label, state, href, tone) => total(label, of(state).count, href, tone, of(state).more);
    return [
        total('delivered in 24 hours', of('delivered').last_24_hours, '#/deliveries?state=delivered'),
        now('being sent', 'sending', '#/deliveries?state=sending'),
        now('waiting for another attempt', 'waiting', '#/deliveries?state=waiting', 'warn'),
        now('deferred', 'deferred', '#/deliveries?state=deferred', 'warn'),
        now('dead', 'dead', '#/dead', 'bad'),
    ];
}

/** What a person should know of an integration that is not well; null: nothing. */
export function trouble(fares) {
    if (fares.health === 'broken') return `Its destination said that it is gone, ${exact(fares.broken_since)}.`;
    if (fares.health === 'circuit_open') return `Held until ${exact(fares.circuit_until)}; failing since ${exact(fares.failing_since)}.`;
    if (fares.health === 'failing')
        return `Failing since ${exact(fares.failing_since)}${fares.last_error ? `: ${title(fares.last_error)}` : ''}.`;
    return null;
}

export function percent(rate) {
    return rate === null || rate === undefined ? '–' : `${rate === 1 ? '100' : Math.min(99.9, rate * 100).toFixed(1)} %`;
}

function figure(label, ...value) {
    return h('div', null, h('span', { class: 'soft' }, label), h('br'), h('b', null, value));
}

function card(row) {
    const { integration, health } = row;
    const why = trouble(health);
    return h(
        'li',
        { class: 'card one' },
        h(
            'div',
            { class: 'one-head' },
            mark(integration.kind),
            h(
                'div',
                null,
                h('h2', null, h('a', { href: `#/integrations/${encodeURIComponent(integration.id)}` }, theirs(integration.name))),
                h('p', { class: 'soft small' }, kindName(integration.kind)),
            ),
            badge(health.health),
        ),
        h('p', { class: 'soft small' }, scopeOf(integration)),
        why && h('p', { class: 'why' }, why),
        chart(row.hours),
        h(
            'div',
            { class: 'one-figures' },
            figure('Last delivery', time(row.last_delivered_at, 'none')),
            figure('Success', percent(row.success_rate)),
            figure('Failed', number(row.failed)),
            figure('Deferred', number(health.deferred ?? 0)),
        ),
    );
}

const KEYS = [
    ['delivered', 'delivered'],
    ['failed', 'failed attempts'],
    ['dead', 'dead'],
];

function cards(rows, filtered) {
    if (rows.length > 0)
        return [
            h(
                'ul',
                { class: 'keys', 'aria-label': 'Colours of the charts' },
                KEYS.map(([name, text]) => h('li', { class: name }, `${text}, by the hour`)),
            ),
            h(
                'ul',
                { class: 'cards' },
                rows.map((row) => card(row)),
            ),
        ];
    if (filtered) return empty('Nothing matches', 'No integration has such a name, kind and state.');
    return empty(
        'No integrations yet',
        'Events of this workspace are sent nowhere. Connect a destination to be told of findings.',
        mayWrite()
            ? h('a', { class: 'button main', href: '#/connect' }, 'Connect a destination')
            : 'A token with the scope write can connect one.',
    );
}

export default function overview(box, { signal, query }) {
    const filters = { q: query.get('q') ?? '', kind: query.get('kind') ?? '', health: query.get('health') ?? '' };
    const top = h('section', { class: 'totals', 'aria-label': 'Totals' });
    const section = h('section', { 'aria-label': 'Integrations' });
    const first = () => pathOf('/overview', { limit: LIMIT, ...filters });
    const live = new Live();
    const [ofTotals, ofCards] = [live.part(), live.part()];
    const draw = (rows) => {
        ofCards.good();
        return cards(rows, filters.q || filters.kind || filters.health);
    };
    const names = { noun: 'integrations', back: 'Back', on: 'Further' };
    const list = paging({ box: section, first, draw, ...names, signal, failed: ofCards.bad, rows: 6 });

    async function change(what) {
        Object.assign(filters, what);
        history.replaceState(null, '', `#${pathOf('/', filters)}`);
        if (await list.restart()) announce(`${section.querySelectorAll('.one').length} integrations`);
    }

    async function figures(turn) {
        const { data } = await ask('GET', '/stats?integrations=false', { signal: turn });
        turn.throwIfAborted();
        ofTotals.good();
        return totals(data);
    }

    show(
        box,
        h(
            'div',
            { class: 'head' },
            h('h1', null, 'Overview'),
            live.node,
            mayWrite() && h('div', { class: 'actions' }, h('a', { class: 'button main', href: '#/connect' }, 'Connect')),
        ),
        top,
        h(
            'form',
            { class: 'filters', role: 'search', onsubmit: (event) => event.preventDefault() },
            h(
                'label',
                { class: 'wide' },
                'Search by name',
                h('input', {
                    type: 'search',
                    value: filters.q,
                    oninput: calm((event) => change({ q: event.target.value.trim() }), 300, signal),
                }),
            ),
            choice('Kind', KINDS, { chosen: filters.kind, change: (kind) => change({ kind }), all: 'Every kind', name: kindName }),
            choice('State', HEALTHS, {
                chosen: filters.health,
                change: (health) => change({ health }),
                all: 'Every state',
                name: healthName,
            }),
        ),
        section,
    );
    load(top, figures, { signal, rows: 1, failed: ofTotals.bad });
    list.refresh();
    const unless = (box, work) => () => (box.contains(document.activeElement) ? PAUSED : work()); // somebody is in it
    every(
        SECONDS,
        unless(top, () => renew(top, figures, signal)),
        signal,
        ofTotals,
    );
    every(CARDS_SECONDS, unless(section, list.again), signal, ofCards);
}
