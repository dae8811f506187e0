/*
 * integration - one that is there: how it fares, its form, what can be done with it
 */
import { announce, button, h, notice, show, theirs } from './dom.js';
import { allKinds, ask, pathOf } from './ask.js';
import { chart } from './chart.js';
import { allTargets } from './filters.js';
import { confirm } from './frame.js';
import { asProblem, isLeft, load } from './load.js';
import { mark } from './marks.js';
import { editForm } from './integration_edit.js';
import { deliveryTable } from './delivery_rows.js';
import { mayWrite } from './session.js';
import { percent, trouble } from './overview.js';
import { previewPanel, testPanel } from './try_out.js';
import { badge, number, routed, scopeOf, time, title } from './words.js';

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
        const [{ data, etag }, kinds, targets] = await Promise.all([ask('GET', path, { signal }), allKinds(signal), allTargets(signal)]);
        const kind = kinds.find((one) => one.kind === data.kind);
        const state = { data, etag };
        drawHead(state, kind);
        document.title = `${data.name} · Pencheff notify`;
        return page(state, kind, targets);
    }

    const again = () => load(body, draw, { signal, quiet: true });

    /** WORK, with what went wrong told in a notice. */
    const doing = (work) => async () => {
        try {
            await work();
        } catch (fault) {
            if (isLeft(fault, signal)) return;
            const problem = asProblem(fault);
            notice(
                problem.message +
                    (problem.wait ? ` Try again in ${Math.ceil(problem.wait)} s.` : '') +
                    (problem.requestId ? ` (request ${problem.requestId})` : ''),
                true,
            );
        }
    };

    function drawHead(state, kind) {
        const { data } = state;
        const stops = [
            `It fires for: ${scopeOf(data)} (${routed(data.severity_filter)}).`,
            'What waits for another attempt or is deferred is canceled.',
            'What was delivered stays in the ledger.',
        ];
        const turn = doing(async () => {
            const ends = data.enabled;
            if (
                ends &&
                !(await confirm({
                    heading: 'Disable this integration?',
                    text: 'Until it is enabled again, events pass it by.',
                    points: stops,
                    yes: 'Disable',
                }))
            )
                return;
            const { data: now, etag } = await ask('PATCH', path, { body: { enabled: !ends }, signal });
            Object.assign(state, { data: now, etag }); // what is in the form stays
            announce(ends ? 'Disabled' : 'Enabled');
            drawHead(state, kind);
        });
        const remove = doing(async () => {
            if (
                !(await confirm({
                    heading: `Delete ${data.name}?`,
                    text: 'Nothing is sent to it any more, and its settings are gone for good.',
                    points: stops,
                    yes: 'Delete',
                    danger: true,
                }))
            )
                return;
            await ask('DELETE', path, { signal });
            notice(`Deleted: ${data.name}.`);
            location.hash = '#/';
        });
        const copy = doing(async () => {
            const made = await ask('POST', `${path}/duplicate`, {
                body: {},
                headers: { 'Idempotency-Key': `${id}-${Date.now()}` },
                signal,
            });
            notice(`Copied. ${made.data.name} is disabled until you enable it.`);
            location.hash = `#/integrations/${encodeURIComponent(made.data.id)}`;
        });
        show(heading, theirs(data.name));
        show(
            head,
            mark(data.kind),
            heading,
            h('span', { class: 'soft' }, kind?.title ?? data.kind),
            data.enabled ? h('span', { class: 'badge good' }, 'Enabled') : badge('disabled'),
            mayWrite() &&
                h(
                    'div',
                    { class: 'actions' },
                    button(data.enabled ? 'Disable' : 'Enable', turn),
                    button('Duplicate', copy),
                    button('Delete', remove, { class: 'danger' }),
                ),
        );
    }

    function page(state, kind, targets) {
        const { data } = state;
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
        const test = testPanel(
            'Sends a test through it, also while it is disabled.',
            () => ask('POST', `${path}/test`, { signal }),
            signal,
        );
        if (!mayWrite())
            return h(
                'div',
                { class: 'two' },
                h('div', { class: 'stack' }, health, readOnly(data, targets), recent),
                h('div', { class: 'side stack' }, kind && previewPanel(data.kind, () => null, signal).node),
            );
        return h(
            'div',
            { class: 'two' },
            h(
                'div',
                { class: 'stack' },
                health,
                editForm({ state, path, kind, targets, signal, changed: () => drawHead(state, kind), again }),
                recent,
            ),
            h('div', { class: 'side stack' }, test, kind && previewPanel(data.kind, () => null, signal).node),
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
