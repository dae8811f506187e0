/*
 * try_out - what would be sent, and a test of it
 *
 * A preview sends nothing and is made by the code that delivers, with stars for secrets. A test sends.
 */
import { announce, button, calm, h, show, theirs } from './dom.js';
import { ask } from './ask.js';
import { asProblem, isLeft, problemCard, skeleton } from './load.js';
import { mayWrite } from './session.js';
import { EVENTS, SEVERITIES, meaning, title } from './words.js';

const SAID = 'Of a sample event; secrets are stars.';
const BORROWED = 'The settings belong to nobody.';

/** A body as it is easiest to read. */
function pretty(text) {
    try {
        return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
        return text;
    }
}

const SPOKEN = new Set(['text', 'title', 'summary', 'description', 'message', 'content', 'value', 'name', 'body', 'topLabel', 'details']);

/** Pieces of one line, each set in its own way. */
function isLine(list) {
    return list.length > 0 && list.every((one) => typeof one?.text === 'string' && (one.type === 'text' || one.type === 'TextRun'));
}

/** What a person reads of a message: the texts in it, in their order, without how they are laid out. */
function spoken(value, key = '') {
    if (typeof value === 'string') return SPOKEN.has(key) && value.trim() ? [value] : [];
    if (Array.isArray(value)) return isLine(value) ? [value.map((one) => one.text).join('')] : value.flatMap((one) => spoken(one, key));
    return value && typeof value === 'object' ? Object.entries(value).flatMap(([name, one]) => spoken(one, name)) : [];
}

function wordsOf(body) {
    try {
        return spoken(JSON.parse(body));
    } catch {
        return [];
    }
}

function request(one) {
    const words = wordsOf(one.body);
    return h(
        'div',
        { class: 'stack-small' },
        h('p', null, h('code', null, `${one.method} ${one.url}`)),
        h(
            'details',
            null,
            h('summary', null, 'Headers'),
            h(
                'pre',
                { tabindex: '0', role: 'group', 'aria-label': 'Headers of the request' },
                Object.entries(one.headers)
                    .map(([name, value]) => `${name}: ${value}`)
                    .join('\n'),
            ),
        ),
        words.length > 0 &&
            h(
                'div',
                { class: 'spoken', tabindex: '0', role: 'group', 'aria-label': 'The message' },
                words.map((text) => h('p', null, theirs(text))),
            ),
        h(
            'details',
            { open: words.length === 0 },
            h('summary', null, 'Body'),
            h('pre', { tabindex: '0', role: 'group', 'aria-label': 'Body of the request' }, pretty(one.body)),
        ),
    );
}

/** {node, refresh()}. CONFIG: a function that gives the settings that are there by now; null: none, a sample stands for them. */
export function previewPanel(kind, config, signal) {
    let event = 'finding_new';
    let severity = 'high';
    let turn = 0;
    const box = h('div', { class: 'stack-small', 'aria-live': 'off' });
    const note = h('p', { class: 'soft small' });
    const severityChoice = h(
        'select',
        {
            'aria-label': 'Severity of the sample',
            onchange: (change) => {
                severity = change.target.value;
                refresh();
            },
        },
        [...SEVERITIES].reverse().map((word) => h('option', { value: word, selected: word === severity }, title(word))),
    );
    const tabs = h(
        'div',
        { class: 'tabs', role: 'group', 'aria-label': 'Event of the sample' },
        EVENTS.map((word) =>
            h(
                'button',
                {
                    type: 'button',
                    'aria-pressed': String(word === event),
                    'data-event': word,
                    onclick: () => {
                        event = word;
                        for (const tab of tabs.children) tab.setAttribute('aria-pressed', String(tab.dataset.event === word));
                        refresh();
                    },
                },
                title(word),
            ),
        ),
    );

    async function make() {
        turn += 1;
        const mine = turn;
        const given = config();
        const body = { kind, event_type: event, severity };
        try {
            let said = given ? SAID : `${SAID} ${BORROWED}`;
            const answer = await ask('POST', '/integrations/preview', { body: given ? { ...body, config: given } : body, signal }).catch(
                (fault) => {
                    if (fault.status !== 422 || !given) throw fault;
                    said = `${SAID} ${BORROWED}`;
                    return ask('POST', '/integrations/preview', { body, signal });
                },
            );
            if (mine !== turn) return;
            show(note, said);
            show(box, answer.data.requests.map(request), answer.data.detail && h('p', { class: 'sentence' }, answer.data.detail));
        } catch (fault) {
            if (isLeft(fault, signal) || mine !== turn) return;
            show(box, problemCard(asProblem(fault), button('Try again', make)));
        }
    }

    const refresh = calm(make, 250);
    show(box, skeleton(2));
    make();
    return {
        node: h('section', { class: 'card stack-small' }, h('h2', null, 'What would be sent'), tabs, severityChoice, note, box),
        refresh,
    };
}

function made(what, name) {
    const state = what.deleted ? 'made and deleted again' : what.made ? 'made, and not deleted: delete it there' : 'perhaps made';
    return h('p', null, `${name} ${what.key ?? ''}: ${state}.`);
}

function resultCard(result) {
    return h(
        'section',
        { class: `card stack-small ${result.ok ? 'panel-good' : 'panel-bad'}`, 'aria-label': 'Result of the test' },
        h('h3', null, result.ok ? '✓ The test was taken' : '✗ The test was not taken'),
        h('p', null, result.detail),
        result.error && h('p', { class: 'small soft' }, h('code', null, result.error), `: ${meaning('errors', result.error)}`),
        h('p', { class: 'small soft' }, result.status ? `Status ${result.status}` : 'No answer came', `, ${result.duration_ms} ms`),
        result.issue && made(result.issue, 'Issue'),
        result.alert && made(result.alert, 'Alert'),
        result.response && [
            h('p', { class: 'small soft' }, 'It answered:'),
            h('pre', { tabindex: '0', role: 'group', 'aria-label': 'Answer' }, result.response),
        ],
    );
}

/**
 * {node, say(text), stale()}: a button that tests, and what came of it. SEND: asks the API, or says why not by null. TELL: shows what is
 * wrong with the settings at their fields. STALE is called when the settings have become others: no answer is about those.
 */
export function testPanel(text, send, signal, tell = () => {}) {
    const box = h('div', { 'aria-live': 'polite' });
    const note = h('p', { class: 'soft small' }, text);
    const card = (...body) => h('section', { class: 'card stack-small' }, h('h2', null, 'Test'), body);
    let turn = 0;
    let last = 0; // the turn that a result is shown of, or is awaited
    if (!mayWrite())
        return {
            node: card(h('p', { class: 'soft' }, 'This token may only read. A token with the scope write can send a test.')),
            say: () => {},
            stale: () => {},
        };
    async function test() {
        turn += 1;
        const mine = turn;
        last = mine;
        show(box);
        try {
            const answer = await send();
            if (mine !== turn) return;
            if (!answer) {
                last = 0;
                return;
            }
            show(box, resultCard(answer.data));
            announce(answer.data.ok ? 'The test was taken' : 'The test was not taken');
        } catch (fault) {
            if (isLeft(fault, signal) || mine !== turn) return;
            const problem = asProblem(fault);
            tell(problem);
            show(
                box,
                problemCard(problem, problem.wait && h('span', { class: 'small soft' }, `Try again in ${Math.ceil(problem.wait)} s.`)),
            );
        }
    }
    return {
        node: card(note, button('Send a test', test), box),
        say: (now) => show(note, now),
        stale: () => {
            if (last === turn && last > 0) show(box, h('p', { class: 'soft small' }, 'The settings were changed: test them again.'));
            turn += 1;
        },
    };
}
