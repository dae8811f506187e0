/*
 * deliveries - what became of events, live: the latest change first
 *
 * The filters stand in the address, so that what one looks at can be sent to somebody. The first page is read again every few
 * seconds while it is looked at; a page behind it stays as it is.
 */
import { calm, h, show, theirs } from './dom.js';
import { pathOf } from './ask.js';
import { deliveryTable } from './delivery_rows.js';
import { integrationChoice } from './integration_choice.js';
import { Live } from './live.js';
import { PAUSED, SKIPPED, empty, every } from './load.js';
import { choice, noneHere, paging } from './pages.js';
import { EVENTS, REASONS, STATES, title } from './words.js';

const SECONDS = 5;
const LIMIT = 50;
const NAMES = ['state', 'reason', 'event_type', 'integration_id', 'scan_id', 'finding_id', 'event_id', 'export_id'];
const IDS = { scan_id: 'Scan', finding_id: 'Finding', event_id: 'Event', export_id: 'Export' };
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export default function deliveries(box, { query, signal }) {
    const filters = Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? '']));
    const first = () => pathOf('/deliveries', { limit: LIMIT, ...filters });
    const section = h('section', { 'aria-label': 'Deliveries' });
    const live = new Live();
    const part = live.part();
    const chips = h('div', { class: 'actions' });
    const idKind = h(
        'select',
        { 'aria-label': 'What the id is of', onchange: () => byId() },
        Object.entries(IDS)
            .filter(([name]) => name !== 'export_id')
            .map(([value, text]) => h('option', { value }, text)),
    );
    const idField = h('input', {
        type: 'search',
        'aria-label': 'Id to look for',
        placeholder: 'An id',
        spellcheck: 'false',
        oninput: calm(() => byId(), 300, signal),
    });
    const chosen = integrationChoice((one) => {
        known.set(one.id, one.name);
        change({ integration_id: one.id });
    }, signal);
    const known = new Map(); // names of integrations by id

    function change(what) {
        Object.assign(filters, what);
        history.replaceState(null, '', `#${pathOf('/deliveries', filters)}`);
        list.restart();
    }

    const choose = (label, name, words) =>
        choice(label, words, { chosen: filters[name], change: (word) => change({ [name]: word }), all: 'All', name: title });

    function byId() {
        const text = idField.value.trim();
        const name = idKind.value;
        if (text && name !== 'event_id' && !UUID.test(text)) {
            idField.setAttribute('aria-invalid', 'true');
            return;
        }
        idField.removeAttribute('aria-invalid');
        change({ scan_id: '', finding_id: '', event_id: '', [name]: text });
    }

    function drawChips() {
        const names = ['integration_id', 'export_id'].filter((name) => filters[name]);
        show(
            chips,
            names.map((name) =>
                h(
                    'span',
                    { class: 'chip' },
                    name === 'integration_id' ? 'Integration ' : 'Export ',
                    theirs(known.get(filters[name]) ?? filters[name]),
                    h(
                        'button',
                        {
                            type: 'button',
                            'aria-label': `No longer by ${name === 'integration_id' ? 'integration' : 'export'}`,
                            onclick: () => change({ [name]: '' }),
                        },
                        '✕',
                    ),
                ),
            ),
        );
    }

    function draw(rows, { isFirst, isOnly }) {
        if (isFirst) part.good();
        else part.off('Older ones, as they were read');
        for (const one of rows) if (one.integration_name) known.set(one.integration_id, one.integration_name);
        drawChips();
        if (rows.length) return h('div', { class: 'card framed' }, deliveryTable(rows));
        if (!isOnly) return noneHere();
        return Object.values(filters).some(Boolean)
            ? empty('Nothing matches', 'No delivery is like that. They are kept for retention.deliveries_days.')
            : empty('Nothing yet', 'As soon as an integration fires, what becomes of it is shown here.');
    }

    const list = paging({ box: section, first, draw, noun: 'deliveries', signal, failed: part.bad, rows: 5 });
    for (const name of ['scan_id', 'finding_id', 'event_id']) if (filters[name]) [idKind.value, idField.value] = [name, filters[name]];
    show(
        box,
        h('div', { class: 'head' }, h('h1', null, 'Deliveries'), live.node),
        h(
            'form',
            { class: 'filters', role: 'search', onsubmit: (event) => event.preventDefault() },
            choose('State', 'state', STATES),
            choose('Reason', 'reason', REASONS),
            choose('Event', 'event_type', EVENTS),
            h('div', { class: 'with-button wide' }, idKind, idField),
            chosen.field,
        ),
        chosen.found,
        chips,
        section,
    );
    list.refresh();
    every(
        SECONDS,
        () => {
            if (!list.isFirst()) return SKIPPED;
            return section.contains(document.activeElement) ? PAUSED : list.again();
        },
        signal,
        part,
    );
}
