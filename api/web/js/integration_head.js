/*
 * integration_head - its name and state, and what can be done with it as a whole
 *
 * What is done is done over the version that was shown: when somebody was faster, nothing is, and it is asked again with what they changed.
 */
import { announce, button, h, notice, show, theirs } from './dom.js';
import { ask } from './ask.js';
import { keeper } from './creation.js';
import { confirm } from './dialog.js';
import { changesInWords } from './differences.js';
import { asProblem, isLeft } from './load.js';
import { mark } from './marks.js';
import { mayWrite } from './session.js';
import { badge, routed, scopeOf } from './words.js';

/** What ends when it stops firing. */
function stops(data) {
    return [
        h('span', null, 'It fires for: ', theirs(scopeOf(data)), ` (${routed(data.severity_filter)}).`),
        'What waits for another attempt or is deferred is canceled.',
        'What was delivered stays in the ledger.',
    ];
}

/**
 * {nowIs(now), isEditedBy(form)}. Fills HEAD, in which HEADING stands, once; what changes in it afterwards changes in its place, so that
 * a button keeps the focus. READ: {data, etag}, and so is NOW.
 */
export function drawHead({ heading, head, kind, read, path, targets, signal }) {
    const copies = keeper();
    const state = h('span');
    let shown = read;
    let form = null;

    function nowIs(now) {
        shown = now;
        tell();
    }

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

    /**
     * WORK over the version that is shown, when QUESTION, which is made of it, was agreed to (null: nothing is asked). When somebody was
     * faster, what it has become is shown, and it is asked again. ISDONE: what it has become is what was wanted. Whether WORK was done.
     */
    async function over(question, work, isDone = () => false) {
        let asked = question(shown.data);
        for (;;) {
            const at = shown;
            if (asked && !(await confirm(asked))) return false;
            try {
                await work(at);
                return true;
            } catch (fault) {
                if (fault.status !== 412) throw fault;
            }
            nowIs(await ask('GET', path, { signal }));
            if (isDone(shown.data)) {
                notice('Somebody has done that already.');
                return false;
            }
            const again = question(shown.data) ?? { points: [], yes: 'Enable' };
            asked = {
                ...again,
                heading: 'Somebody changed it meanwhile',
                text: `Nothing was done. ${again.yes} it as it is now?`,
                points: [
                    ...changesInWords(at.data, shown.data, targets).map((one) => h('span', null, 'Changed by them: ', one)),
                    ...again.points,
                ],
            };
        }
    }

    async function turn() {
        const { enabled } = shown.data;
        const question = (data) =>
            enabled
                ? {
                      heading: 'Disable this integration?',
                      text: 'Until it is enabled again, events pass it by.',
                      points: stops(data),
                      yes: 'Disable',
                  }
                : null;
        const work = async (at) => {
            const { data, etag } = await ask('PATCH', path, {
                body: { enabled: !enabled },
                headers: { 'If-Match': at.etag },
                signal,
            });
            form.moved(at, { data, etag }); // what is in the form stays
            nowIs({ data, etag });
        };
        if (await over(question, work, (data) => data.enabled !== enabled)) announce(enabled ? 'Disabled' : 'Enabled');
    }

    async function remove() {
        const question = (data) => ({
            heading: `Delete ${data.name}?`,
            text: 'Nothing is sent to it any more, and its settings are gone for good.',
            points: stops(data),
            yes: 'Delete',
            danger: true,
        });
        const work = (at) => ask('DELETE', path, { headers: { 'If-Match': at.etag }, signal });
        if (!(await over(question, work))) return;
        form.drop();
        notice(`Deleted: ${shown.data.name}.`);
        location.hash = '#/';
    }

    async function copy() {
        const made = await copies.send({}, (key) =>
            ask('POST', `${path}/duplicate`, { body: {}, headers: { 'Idempotency-Key': key }, signal }),
        );
        notice(`Copied. ${made.data.name} is disabled until you enable it.`);
        location.hash = `#/integrations/${encodeURIComponent(made.data.id)}`;
    }

    const turner = button('', doing(turn));
    function tell() {
        const { data } = shown;
        document.title = `${data.name} · Pencheff notify`;
        show(heading, theirs(data.name));
        show(state, data.enabled ? h('span', { class: 'badge good' }, 'Enabled') : badge('disabled'));
        show(turner, data.enabled ? 'Disable' : 'Enable');
    }

    tell();
    heading.before(mark(shown.data.kind));
    head.append(h('span', { class: 'soft' }, kind?.title ?? shown.data.kind), state);
    if (mayWrite())
        head.append(
            h('div', { class: 'actions' }, turner, button('Duplicate', doing(copy)), button('Delete', doing(remove), { class: 'danger' })),
        );
    return {
        nowIs,
        isEditedBy: (one) => {
            form = one;
        },
    };
}
