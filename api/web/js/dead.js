/*
 * dead - what was given up, by reason, to begin again or to drop, several at once
 */
import { announce, button, h, notice, show } from './dom.js';
import { ask, pathOf } from './ask.js';
import { deliveryTable } from './delivery_rows.js';
import { resultOf } from './delivery.js';
import { confirm } from './frame.js';
import { asProblem, empty, isLeft } from './load.js';
import { choice, noneHere, paging } from './pages.js';
import { mayWrite } from './session.js';
import { REASONS, meaning, plural, title } from './words.js';

const LIMIT = 100;

export function deadTabs(at) {
    return h(
        'nav',
        { class: 'tabs', 'aria-label': 'Kinds of dead letters' },
        [
            ['#/dead', 'Deliveries'],
            ['#/dead/events', 'Events that reached no integration'],
        ].map(([href, text]) => h('a', { class: 'button', href, 'aria-current': href === at && 'page' }, text)),
    );
}

/** Rows by their reason, those with most first. */
export function byReason(rows) {
    const groups = new Map();
    for (const one of rows) {
        const word = one.reason ?? 'unknown';
        if (!groups.has(word)) groups.set(word, []);
        groups.get(word).push(one);
    }
    return [...groups].sort((left, right) => right[1].length - left[1].length);
}

/** What became of those that were neither replayed nor dropped: a sentence for each reason. */
function refusals(results) {
    const words = results.map((one) => one.result).filter((word) => word !== 'dropped' && word !== 'replayed');
    return [...new Set(words)].map((word) => `${words.filter((one) => one === word).length} not: ${resultOf(word)}`);
}

export default function dead(box, { query, signal }) {
    let reason = query.get('reason') ?? '';
    const integration = query.get('integration_id') ?? '';
    const first = () => pathOf('/deliveries', { limit: LIMIT, state: 'dead', reason, integration_id: integration });
    const chosen = new Map();
    const section = h('section', { 'aria-label': 'Dead deliveries' });
    const bar = h('div', { class: 'foot' });

    const nameOf = (one) => `${one.event_id} ${one.integration_id}`;

    function drawBar() {
        const none = chosen.size === 0;
        show(
            bar,
            h('span', { class: 'count', role: 'status' }, none ? 'None chosen' : `${plural(chosen.size, 'delivery', 'deliveries')} chosen`),
            button('Replay', () => change('replay'), { class: 'main', disabled: none }),
            button('Drop', () => change('drop'), { class: 'danger', disabled: none }),
        );
    }

    async function change(verb) {
        const some = [...chosen.values()];
        const count = plural(some.length, 'delivery', 'deliveries');
        const asked =
            verb === 'drop'
                ? {
                      heading: `Drop ${count}?`,
                      text: 'They are given up for good: nobody is told, and they cannot be replayed.',
                      yes: 'Drop',
                      danger: true,
                  }
                : {
                      heading: `Replay ${count}?`,
                      text: 'Each begins again with all its attempts. What made it fail should be mended before.',
                      yes: 'Replay',
                  };
        if (!(await confirm(asked))) return;
        try {
            const body = { deliveries: some.map((one) => ({ event_id: one.event_id, integration_id: one.integration_id })) };
            const answer = (await ask('POST', `/deliveries/${verb}`, { body, signal })).data;
            const done = verb === 'drop' ? answer.dropped : answer.replayed;
            const others = refusals(answer.deliveries);
            const said = `${plural(done, 'delivery', 'deliveries')} ${verb === 'drop' ? 'dropped' : 'replayed'}.`;
            notice([said, ...others].join(' '), others.length > 0);
            chosen.clear();
            list.refresh();
        } catch (fault) {
            if (isLeft(fault, signal)) return;
            const problem = asProblem(fault);
            notice(problem.message + (problem.requestId ? ` (request ${problem.requestId})` : ''), true);
        }
    }

    function tick(one) {
        return h('input', {
            type: 'checkbox',
            'aria-label': `Choose ${title(one.event_type)} to ${one.integration_name ?? 'a deleted integration'}`,
            checked: chosen.has(nameOf(one)),
            'data-name': nameOf(one),
            onchange: (event) => {
                if (event.target.checked) chosen.set(nameOf(one), one);
                else chosen.delete(nameOf(one));
                drawBar();
            },
        });
    }

    function group([word, rows]) {
        const node = h('section', { class: 'card framed group' });
        const all = h('input', {
            type: 'checkbox',
            onchange: (event) => {
                for (const input of node.querySelectorAll('td.tick input')) if (input.checked !== event.target.checked) input.click();
            },
        });
        return show(
            node,
            h(
                'div',
                { class: 'reason stack-small' },
                h('h2', null, `${title(word)} `, h('span', { class: 'soft count' }, `(${rows.length} here)`)),
                h('p', { class: 'small soft' }, meaning('reasons', word)),
                mayWrite() && h('label', { class: 'option' }, all, `Choose all ${rows.length}`),
            ),
            deliveryTable(rows, { tick: mayWrite() ? tick : null }),
        );
    }

    /** Nothing is chosen that is not shown. OFFERED: whether there is something to choose. */
    function begin(offered) {
        chosen.clear();
        drawBar();
        bar.hidden = !mayWrite() || !offered;
    }

    function draw(rows, { isOnly }) {
        begin(rows.length > 0);
        if (rows.length === 0 && !isOnly) return noneHere();
        if (rows.length === 0)
            return reason || integration
                ? empty('Nothing matches', 'No delivery died of that.')
                : empty('Nothing is dead', 'Every delivery was taken, or is still being tried.');
        announce(plural(rows.length, 'dead delivery', 'dead deliveries'));
        return byReason(rows).map(group);
    }

    const list = paging({ box: section, first, draw, noun: 'dead deliveries', signal, failed: () => begin(false), rows: 4 });
    show(
        box,
        h('div', { class: 'head' }, h('h1', null, 'Dead letters')),
        deadTabs('#/dead'),
        h(
            'form',
            { class: 'filters', onsubmit: (event) => event.preventDefault() },
            choice('Reason', REASONS, {
                chosen: reason,
                change: (word) => {
                    reason = word;
                    begin(false);
                    list.restart();
                },
                all: 'Every reason',
                name: title,
            }),
        ),
        section,
        bar,
    );
    begin(false);
    list.refresh();
}
