/*
 * connect_kind - a new integration of one kind
 */
import { announce, button, calm, h, newId, notice, show } from './dom.js';
import { allKinds, ask, pathOf } from './ask.js';
import { keeper } from './creation.js';
import { confirm } from './dialog.js';
import { changes } from './differences.js';
import { allTargets, filtersForm } from './filters.js';
import { asProblem, isLeft, load, problemCard } from './load.js';
import { mark } from './marks.js';
import { mayWrite } from './session.js';
import { settingsForm } from './settings.js';
import { previewPanel, testPanel } from './try_out.js';
import { guard } from './unsaved.js';

/** The field of the name, in the manner of those of settings. */
export function nameField(value, changed) {
    const id = newId('name');
    const wrong = h('p', { class: 'wrong', id: `${id}-wrong`, 'aria-live': 'polite' });
    const input = h('input', {
        type: 'text',
        id,
        value,
        autocomplete: 'off',
        maxlength: '200',
        'aria-describedby': `${id}-help ${id}-wrong`,
        oninput: () => {
            tell('');
            changed();
        },
    });
    const tell = (text) => {
        show(wrong, text ?? '');
        if (text) input.setAttribute('aria-invalid', 'true');
        else input.removeAttribute('aria-invalid');
    };
    return {
        node: h(
            'div',
            { class: 'field' },
            h('label', { for: id }, 'Name'),
            h('p', { class: 'help', id: `${id}-help` }, 'For people, such as the channel: #security. Nothing is routed by it.'),
            input,
            wrong,
        ),
        value: () => input.value.trim(),
        set: (text) => {
            input.value = text;
            tell('');
        },
        tell,
        focus: () => input.focus(),
        check: () => {
            tell(input.value.trim() ? '' : 'A name is needed.');
            return Boolean(input.value.trim());
        },
    };
}

/** What of PROBLEM no field has shown. */
export function leftOf(problem, shown) {
    const rest = problem.errors.filter(
        (one) => !shown.some((name) => one.field === name || one.field.startsWith(`${name}[`) || one.field.startsWith(`${name}.`)),
    );
    problem.errors = rest;
    return problem;
}

/** Whether another may be made although ONE was sent and had no answer: it is looked for by its name. */
async function isToBeMade(one, signal) {
    const rows = (await ask('GET', pathOf('/overview', { limit: 500, kind: one.kind, q: one.name }), { signal })).data;
    const count = rows.filter((row) => row.integration.name === one.name && row.integration.kind === one.kind).length;
    if (count === 0) return true;
    return confirm({
        heading: 'It may have been connected already',
        text: `No answer came to the first attempt, and ${count === 1 ? 'there is one' : `there are ${count}`} of its name now: ${one.name}.`,
        points: ['The overview leads to it; there it can be changed.', 'What stands here would be another one.'],
        yes: 'Connect another',
    });
}

function form(kind, targets, signal) {
    const keys = keeper();
    const refresh = calm(() => preview.refresh(), 500);
    const changed = () => {
        test.stale();
        refresh();
    };
    const name = nameField('', () => {});
    const settings = settingsForm(kind, changed);
    const filters = filtersForm(null, targets, () => {});
    const enabled = h('input', { type: 'checkbox', checked: true });
    const said = h('div');
    const preview = previewPanel(kind.kind, () => (settings.good() ? settings.config() : null), signal);
    const test = testPanel(
        'Sends a test with the settings as they are here. Nothing is saved.',
        async () => {
            if (!settings.check()) return null;
            return ask('POST', '/integrations/test', { body: { kind: kind.kind, config: settings.config() }, signal });
        },
        signal,
        (problem) => leftOf(problem, settings.tell(problem)),
    );
    const usual = filters.value();
    const saved = guard(
        () => Boolean(name.value()) || Object.keys(settings.config()).length > 0 || Object.keys(changes(usual, filters.value())).length > 0,
        signal,
    );

    async function save() {
        const goodName = name.check();
        const good = settings.check() && goodName;
        if (!goodName) name.focus();
        if (!good) {
            announce('Something is missing or wrong; see the fields.');
            show(said, h('p', { class: 'why', role: 'alert' }, 'Something is missing or wrong; see the fields above.'));
            return;
        }
        const body = { kind: kind.kind, name: name.value(), config: settings.config(), enabled: enabled.checked, ...filters.value() };
        try {
            const doubt = keys.doubt(body);
            if (doubt && !(await isToBeMade(doubt, signal))) return;
            const made = await keys.send(body, (key) =>
                ask('POST', '/integrations', { body, headers: { 'Idempotency-Key': key }, signal }),
            );
            saved();
            notice(`Connected: ${made.data.name}.`);
            location.hash = `#/integrations/${encodeURIComponent(made.data.id)}`;
        } catch (fault) {
            if (isLeft(fault, signal)) return;
            const problem = asProblem(fault);
            name.tell(problem.of('name'));
            const shown = [...settings.tell(problem), ...filters.tell(problem), ...(problem.of('name') ? ['name'] : [])];
            show(
                said,
                problemCard(
                    leftOf(problem, shown),
                    problem.wait &&
                        h('span', { class: 'small soft' }, `Save again in ${Math.ceil(problem.wait)} s: nothing is made twice.`),
                ),
            );
        }
    }

    const saver = button('Connect', save, { class: 'main', type: 'submit' }); // Enter in a field is a click on it
    return h(
        'div',
        { class: 'two' },
        h(
            'form',
            { class: 'stack', novalidate: true, onsubmit: (event) => event.preventDefault() },
            h('section', { class: 'card' }, h('h2', null, 'Where to'), name.node, settings.node),
            h('section', { class: 'card' }, h('h2', null, 'When it fires'), filters.node),
            said,
            h(
                'div',
                { class: 'foot' },
                h('label', { class: 'option' }, enabled, 'Enabled at once'),
                h('a', { class: 'button', href: '#/connect' }, 'Cancel'),
                saver,
            ),
        ),
        h('div', { class: 'side stack' }, test.node, preview.node),
    );
}

export default function connectKind(box, { words: [word], signal }) {
    const heading = h('h1', null, 'Connect');
    const body = h('div');
    show(box, h('a', { class: 'back', href: '#/connect' }, '← All destinations'), h('div', { class: 'head' }, mark(word), heading), body);
    load(
        body,
        async () => {
            const kind = (await allKinds(signal)).find((one) => one.kind === word);
            if (!kind) return h('p', null, 'There is no such kind of destination. ', h('a', { href: '#/connect' }, 'See all'));
            show(heading, `Connect ${kind.title}`);
            if (!mayWrite())
                return [
                    h('p', { class: 'sentence' }, 'This token may only read. A token with the scope write can connect a destination.'),
                    previewPanel(kind.kind, () => null, signal).node,
                ];
            return form(kind, await allTargets(signal), signal);
        },
        { signal },
    );
}
