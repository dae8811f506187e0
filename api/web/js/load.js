/*
 * load - what a part of a page shows while it waits, when something went wrong, and when there is nothing
 *
 * What only reads is asked again by itself when the server says for how long it has to rest; what writes never is. Of what is to be
 * shown in one box only the latest counts: it ends the requests and the countdown of what was under way for that box.
 */
import { announce, button, h, redraw, show } from './dom.js';
import { Problem } from './ask.js';

/** What WORK of every returns when it did nothing: because somebody is where it would draw, or because there was nothing to do. */
export const PAUSED = Symbol('paused');
export const SKIPPED = Symbol('skipped');

const turns = new WeakMap(); // {end, turn, busy} of the latest of a box

/** A signal that ends with SIGNAL, and when something newer is to be shown in BOX. */
function turnOf(box, signal) {
    turns.get(box)?.end.abort();
    const end = new AbortController();
    const turn = signal ? AbortSignal.any([signal, end.signal]) : end.signal;
    turns.set(box, { end, turn, busy: true });
    return turn;
}

/** TURN is over, or only COUNTS until it goes on; that of a newer one is not touched. */
function rest(box, turn, counts = false) {
    if (turns.get(box).turn !== turn) return;
    turns.get(box).busy = counts;
    box.removeAttribute('aria-busy');
}

export function skeleton(rows = 3) {
    return h(
        'div',
        { class: 'waits', role: 'status', 'aria-label': 'Loading' },
        Array.from({ length: rows }, () => h('span')),
    );
}

/** What went wrong, for people, and under which name the server's log has it. */
export function problemCard(problem, ...actions) {
    const heading =
        problem.status === 0
            ? 'No answer'
            : problem.status === 404
              ? 'Not found'
              : problem.status === 503
                ? 'Not available just now'
                : problem.status === 429
                  ? 'Too many requests'
                  : 'That did not work';
    return h(
        'section',
        { class: 'card error', role: 'alert' },
        h('h2', null, heading),
        h('p', null, problem.message),
        problem.errors.length > 0 &&
            h(
                'ul',
                { class: 'bulleted small' },
                problem.errors.map((one) => h('li', null, h('code', null, one.field), ` ${one.detail}`)),
            ),
        problem.requestId &&
            h(
                'p',
                { class: 'small soft' },
                'Request ',
                h('code', null, problem.requestId),
                problem.status ? `, status ${problem.status}` : '',
            ),
        actions.some(Boolean) && h('div', { class: 'actions' }, actions),
    );
}

/** Counts down in a line of text, then calls WORK once; stops with SIGNAL. */
function countdown(seconds, work, signal) {
    const line = h('span', { class: 'small soft' });
    let left = Math.ceil(seconds);
    const tell = () => show(line, left > 0 ? `Tries again in ${left} s.` : 'Tries again now.');
    const timer = setInterval(() => {
        left -= 1;
        tell();
        if (left > 0) return;
        clearInterval(timer);
        work();
    }, 1000);
    signal?.addEventListener('abort', () => clearInterval(timer));
    tell();
    return { line };
}

/** Whether FAULT is the end of a page that was left, or of a turn; anything else that is no Problem is a fault of this page's own. */
export function isLeft(fault, signal) {
    return fault?.name === 'AbortError' || signal?.aborted;
}

export function asProblem(fault) {
    if (fault instanceof Problem) return fault;
    console.error(fault);
    return new Problem(-1, `The page has met a fault of its own: ${fault.message}`);
}

/**
 * Shows what WORK makes in BOX, from the signal of its turn: a wait before, what went wrong instead of it, which FAILED gets. When
 * that was for a while, it is tried again. QUIET: what is there stays until there is something new. Returns whether it was shown.
 */
export async function load(box, work, { signal, rows = 3, quiet = false, failed = () => {} } = {}) {
    const turn = turnOf(box, signal);
    if (!quiet) redraw(box, skeleton(rows));
    box.setAttribute('aria-busy', 'true');
    try {
        const made = await work(turn);
        turn.throwIfAborted();
        rest(box, turn);
        redraw(box, made);
        return true;
    } catch (fault) {
        rest(box, turn);
        if (isLeft(fault, turn)) return false;
        const problem = asProblem(fault);
        const again = () => load(box, work, { signal, rows, quiet: true, failed });
        const counted = problem.wait ? countdown(problem.wait, again, turn) : null;
        rest(box, turn, Boolean(counted));
        redraw(box, problemCard(problem, problem.status !== 404 && button('Try again', again), counted?.line));
        announce(problem.message);
        failed(problem);
        return false;
    }
}

/** Shows what WORK makes in BOX in place of what is there, or returns SKIPPED when that is under way; throws what goes wrong. */
export async function renew(box, work, signal) {
    if (turns.get(box)?.busy) return SKIPPED;
    const turn = turnOf(box, signal);
    try {
        const made = await work(turn);
        turn.throwIfAborted();
        redraw(box, made);
        return null;
    } finally {
        rest(box, turn);
    }
}

export function empty(heading, text, ...actions) {
    return h(
        'div',
        { class: 'card state' },
        h('h2', null, heading),
        h('p', { class: 'soft' }, text),
        actions.length > 0 && h('div', { class: 'actions' }, actions),
    );
}

/**
 * Calls WORK every SECONDS while the page is looked at, and when it is looked at again; what fails is left to the next time. LIVE is
 * told how it went.
 */
export function every(seconds, work, signal, live = null) {
    let timer = 0;
    const turn = async () => {
        clearTimeout(timer);
        if (signal.aborted || document.hidden) return;
        let wait = seconds;
        try {
            const done = await work();
            if (done === PAUSED) live?.paused();
            else if (done !== SKIPPED) live?.good();
        } catch (fault) {
            if (signal.aborted) return;
            if (fault.name !== 'AbortError') {
                // which is a newer turn
                const problem = asProblem(fault);
                wait = Math.max(seconds, problem.wait ?? 0);
                live?.bad(problem);
            }
        }
        clearTimeout(timer); // of a turn that began meanwhile
        if (!signal.aborted) timer = setTimeout(turn, wait * 1000);
    };
    const onSeen = () => {
        if (!document.hidden) turn();
    };
    document.addEventListener('visibilitychange', onSeen, { signal });
    signal.addEventListener('abort', () => clearTimeout(timer));
    timer = setTimeout(turn, seconds * 1000);
}
