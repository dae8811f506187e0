/*
 * delivery - one delivery: its attempts, its state, the next attempt, and why
 */
import { announce, button, h, notice, show, theirs } from './dom.js';
import { ask, pathOf } from './ask.js';
import { deliveryPath } from './delivery_rows.js';
import { explanation } from './explain.js';
import { Live } from './live.js';
import { PAUSED, SKIPPED, asProblem, every, isLeft, load, problemCard, renew } from './load.js';
import { mayWrite } from './session.js';
import { badge, exact, kindName, meaning, time, title } from './words.js';

const SECONDS = 3;
const MOVING = new Set(['sending', 'waiting', 'deferred']);

/** What became of a replay or a drop, for people. */
export function resultOf(word) {
    return (
        {
            replayed: 'It begins again, with all its attempts.',
            dropped: 'It was given up.',
            not_dead: 'It is not dead any more; somebody was faster.',
            busy: 'Somebody has it in hand just now; try again.',
            not_found: 'It is not there any more.',
            disabled: 'Its integration is disabled: enable it first.',
            deleted: 'Its integration was deleted, so it cannot be sent any more.',
        }[word] ?? title(word)
    );
}

function fact(name, value) {
    return value === null || value === undefined || value === '' || value === false
        ? null
        : h('div', null, h('dt', null, name), h('dd', null, value));
}

function attempt(one) {
    return h(
        'li',
        { class: 'bad' },
        h(
            'h3',
            null,
            one.attempt === null
                ? 'An attempt before the replay'
                : `Attempt ${one.attempt}${one.before_replay ? ', before the replay' : ''}`,
        ),
        h(
            'p',
            { class: 'small soft' },
            time(one.at),
            ` (${exact(one.at)})`,
            one.duration_ms === null ? '' : `, ${one.duration_ms} ms`,
            one.status ? `, status ${one.status}` : '',
        ),
        one.error && h('p', null, title(one.error), h('span', { class: 'soft' }, ` – ${meaning('errors', one.error)}`)),
        one.detail && h('p', null, theirs(one.detail)),
        one.response && h('pre', { tabindex: '0', role: 'group', 'aria-label': 'Answer' }, one.response),
    );
}

function last(one) {
    if (one.state === 'delivered')
        return h(
            'li',
            { class: 'good' },
            h('h3', null, `Delivered at attempt ${one.attempt}`),
            h(
                'p',
                { class: 'small soft' },
                time(one.updated_at),
                ` (${exact(one.updated_at)})`,
                one.status ? `, status ${one.status}` : '',
            ),
            one.response && h('pre', { tabindex: '0', role: 'group', 'aria-label': 'Answer' }, one.response),
        );
    if (one.state === 'waiting' && one.due_at)
        return h('li', null, h('h3', null, 'Next attempt'), h('p', { class: 'small soft' }, time(one.due_at), ` (${exact(one.due_at)})`));
    if (one.state === 'deferred')
        return h(
            'li',
            null,
            h('h3', null, 'In the mailbox of its integration'),
            h(
                'p',
                { class: 'small soft' },
                one.mailbox_next_look ? ['Looked at ', time(one.mailbox_next_look)] : 'It is looked at when the destination takes more.',
            ),
        );
    return h(
        'li',
        { class: one.state === 'dead' ? 'bad' : '' },
        h('h3', null, title(one.state)),
        h('p', { class: 'small soft' }, time(one.updated_at), ` (${exact(one.updated_at)})`),
    );
}

export default function delivery(box, { words: [event, integration], signal }) {
    const path = deliveryPath({ event_id: event, integration_id: integration });
    const heading = h('h1', null, 'Delivery');
    const state = h('span', { role: 'status' });
    const actions = h('div', { class: 'actions' });
    const live = new Live();
    const part = live.part();
    const body = h('div', { class: 'stack' });
    const why = h('div', { 'aria-live': 'polite' });
    let now = null;

    const failed = (fault) => {
        if (!isLeft(fault, signal)) show(why, problemCard(asProblem(fault)));
    };
    const replay = button(
        'Replay',
        async () => {
            try {
                const { result } = (await ask('POST', `${path}/replay`, { signal })).data;
                notice(resultOf(result), result !== 'replayed');
                await refresh();
            } catch (fault) {
                failed(fault);
            }
        },
        { class: 'main' },
    );
    const explain = button('Why?', async () => {
        try {
            const answer = await ask('GET', pathOf('/explain', { event_id: event, integration_id: integration }), { signal });
            show(why, h('section', { class: 'card stack' }, h('h2', null, 'Why'), explanation(answer.data)));
            announce('Explained');
        } catch (fault) {
            failed(fault);
        }
    });

    /** What is not needed any more goes without the focus, and what stays is not touched: it may have it. */
    function offer(canReplay) {
        if (canReplay === replay.isConnected) return;
        const had = document.activeElement === replay;
        if (canReplay) actions.append(replay);
        else replay.remove();
        if (had) explain.focus();
    }

    async function page(turn) {
        const one = (await ask('GET', path, { signal: turn })).data;
        turn.throwIfAborted();
        if (now !== one.state) show(state, badge(one.state));
        if (now && now !== one.state) announce(`Now ${one.state}`);
        now = one.state;
        if (!explain.isConnected) actions.append(explain);
        offer(one.state === 'dead' && mayWrite());
        if (MOVING.has(now)) part.good();
        else part.off();
        return [
            h(
                'section',
                { class: 'card stack-small' },
                h(
                    'p',
                    null,
                    `${meaning('states', one.state)}.`.replace(/^./, (first) => first.toUpperCase()),
                ),
                one.reason &&
                    h('p', null, h('b', null, title(one.reason)), h('span', { class: 'soft' }, ` – ${meaning('reasons', one.reason)}`)),
                one.detail && h('p', null, theirs(one.detail)),
                h(
                    'dl',
                    { class: 'facts' },
                    fact(
                        'Integration',
                        h('a', { href: `#/integrations/${encodeURIComponent(integration)}` }, theirs(one.integration_name ?? '(deleted)')),
                    ),
                    fact('Kind', kindName(one.integration_kind)),
                    fact('Attempt', String(one.attempt)),
                    fact('Fired', time(one.created_at)),
                    fact('Changed', time(one.updated_at)),
                    fact('Next attempt', one.due_at && time(one.due_at)),
                    fact('Twice', one.maybe_duplicate && 'the receiver may have seen it twice'),
                    fact('Event', h('code', null, theirs(one.event_id))),
                    fact('Bundled with others', one.batch && h('code', null, one.batch)),
                    fact('Failing since', one.mailbox_failing_since && time(one.mailbox_failing_since)),
                ),
            ),
            h(
                'section',
                { class: 'card' },
                h('h2', null, 'Story'),
                h(
                    'ol',
                    { class: 'story' },
                    h(
                        'li',
                        null,
                        h('h3', null, 'The integration fired'),
                        h('p', { class: 'small soft' }, time(one.created_at), ` (${exact(one.created_at)})`),
                    ),
                    one.attempts.map(attempt),
                    last(one),
                ),
            ),
        ];
    }

    const refresh = () => load(body, page, { signal, quiet: true, failed: part.bad });
    show(
        box,
        h('a', { class: 'back', href: '#/deliveries' }, '← Deliveries'),
        h('div', { class: 'head' }, heading, state, live.node, actions),
        h('div', { class: 'stack' }, why, body),
    );
    load(body, page, { signal });
    every(
        SECONDS,
        () => {
            if (!MOVING.has(now)) return SKIPPED;
            return body.contains(document.activeElement) ? PAUSED : renew(body, page, signal);
        },
        signal,
        part,
    );
}
