/*
 * load - what a part of a page shows while it waits, when something went wrong, and when there is nothing
 *
 * What only reads is asked again by itself when the server says for how long it has to rest; what writes never is.
 */
import { announce, button, h, show } from './dom.js';
import { Problem } from './ask.js';

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
    return { line, stop: () => clearInterval(timer) };
}

/** Whether FAULT is the end of a page that was left; anything else that is no Problem is a fault of this page's own. */
export function isLeft(fault, signal) {
    return fault?.name === 'AbortError' || signal?.aborted;
}

export function asProblem(fault) {
    if (fault instanceof Problem) return fault;
    console.error(fault);
    return new Problem(-1, `The page has met a fault of its own: ${fault.message}`);
}

/**
 * Shows what WORK makes in BOX: a wait before, what went wrong instead of it. When that was for a while, it is tried again. QUIET:
 * what is there stays until there is something new.
 */
export async function load(box, work, { signal, rows = 3, quiet = false } = {}) {
    if (!quiet) show(box, skeleton(rows));
    box.setAttribute('aria-busy', 'true');
    try {
        show(box, await work());
    } catch (fault) {
        if (isLeft(fault, signal)) return;
        const problem = asProblem(fault);
        const again = () => load(box, work, { signal, rows, quiet: true });
        const counted = problem.wait ? countdown(problem.wait, again, signal) : null;
        show(box, problemCard(problem, problem.status !== 404 && button('Try again', () => (counted?.stop(), again())), counted?.line));
        announce(problem.message);
    } finally {
        box.removeAttribute('aria-busy');
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

/** Calls WORK every SECONDS while the page is looked at, and when it is looked at again; what fails is left to the next time. */
export function every(seconds, work, signal) {
    let timer = 0;
    const turn = async () => {
        clearTimeout(timer);
        if (signal.aborted || document.hidden) return;
        let wait = seconds;
        try {
            await work();
        } catch (fault) {
            if (isLeft(fault, signal)) return;
            wait = Math.max(seconds, asProblem(fault).wait ?? 0);
        }
        if (!signal.aborted) timer = setTimeout(turn, wait * 1000);
    };
    const onSeen = () => {
        if (!document.hidden) turn();
    };
    document.addEventListener('visibilitychange', onSeen, { signal });
    signal.addEventListener('abort', () => clearTimeout(timer));
    timer = setTimeout(turn, seconds * 1000);
}
