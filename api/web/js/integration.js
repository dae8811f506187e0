/*
 * integration - one that is there: how it fares, its form, what can be done with it
 */
import { h, show, theirs } from './dom.js';
import { allKinds, ask, pathOf } from './ask.js';
import { chart } from './chart.js';
import { allTargets } from './filters.js';
import { load } from './load.js';
import { editForm } from './integration_edit.js';
import { drawHead } from './integration_head.js';
import { deliveryTable } from './delivery_rows.js';
import { mayWrite } from './session.js';
import { percent, trouble } from './overview.js';
import { previewPanel } from './try_out.js';
import { badge, number, routed, time, title } from './words.js';

/** How it fares: the row of the overview that is its own. */
function fares(row) {
    const facts = [
        ['State', badge(row.health.health)],
        ['Last delivery', time(row.last_delivered_at, 'none')],
        ['Success', percent(row.success_rate)],
        ['Delivered', number(row.delivered)],
        ['Failed attempts', number(row.failed)],
        ['Dead', number(row.dead)],
        ['Deferred', number(row.health.deferred)],
    ];
    const why = trouble(row.health);
    return [
        h('h2', null, 'The last 24 hours'),
        chart(row.hours),
        why && h('p', { class: 'why' }, why),
        h(
            'dl',
            { class: 'facts' },
            facts.map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, value))),
        ),
    ];
}

export default function integration(box, { words: [id], signal }) {
    const path = `/integrations/${encodeURIComponent(id)}`;
    const heading = h('h1', null, 'Integration');
    const head = h('div', { class: 'head' }, heading);
    const body = h('div');
    show(box, h('a', { class: 'back', href: '#/' }, '← Overview'), head, body);

    async function draw() {
        const [read, kinds, targets] = await Promise.all([ask('GET', path, { signal }), allKinds(signal), allTargets(signal)]);
        const kind = kinds.find((one) => one.kind === read.data.kind);
        const top = drawHead({ heading, head, kind, read, path, targets, signal });
        return page({ read, kind, targets, top });
    }

    function page({ read, kind, targets, top }) {
        const { data } = read;
        const recent = h('section', { class: 'card framed' });
        load(
            recent,
            async () => {
                const page = await ask('GET', `${path}/deliveries?limit=8`, { signal });
                return [
                    h(
                        'div',
                        { class: 'reason head' },
                        h('h2', null, 'Latest deliveries'),
                        h(
                            'div',
                            { class: 'actions' },
                            h('a', { href: `#/deliveries?integration_id=${encodeURIComponent(id)}` }, 'All of them'),
                        ),
                    ),
                    page.data.length
                        ? deliveryTable(page.data, { where: false })
                        : h('p', { class: 'state soft' }, 'Nothing was sent to it yet.'),
                ];
            },
            { signal },
        );
        const health = h('section', { class: 'card stack-small' });
        load(
            health,
            async () => {
                const rows = (await ask('GET', pathOf('/overview', { limit: 500, kind: kind?.kind, q: data.name }), { signal })).data;
                const mine = rows.find((one) => one.integration.id === id);
                health.hidden = !mine;
                return mine ? fares(mine) : [];
            },
            { signal, rows: 1 },
        );
        if (!mayWrite())
            return h(
                'div',
                { class: 'two' },
                h('div', { class: 'stack' }, health, readOnly(data, targets), recent),
                h('div', { class: 'side stack' }, kind && previewPanel(data.kind, () => null, signal).node),
            );
        const form = editForm({ read, path, kind, targets, signal, changed: top.nowIs });
        top.isEditedBy(form);
        return h(
            'div',
            { class: 'two' },
            h('div', { class: 'stack' }, health, form.node, recent),
            h('div', { class: 'side stack' }, form.test, kind && previewPanel(data.kind, () => null, signal).node),
        );
    }

    function readOnly(data, targets) {
        const names = new Map(targets.all.map((one) => [one.id, one.name]));
        return h(
            'section',
            { class: 'card' },
            h('h2', null, 'When it fires'),
            h(
                'dl',
                { class: 'facts' },
                [
                    ['Targets', data.target_ids ? data.target_ids.map((one) => names.get(one) ?? one).join(', ') : 'every target'],
                    ['Events', data.events ? data.events.map(title).join(', ') : 'every event'],
                    ['Severity', routed(data.severity_filter)],
                ].map(([name, text]) => h('div', null, h('dt', null, name), h('dd', null, theirs(text)))),
            ),
        );
    }

    load(body, draw, { signal });
}
