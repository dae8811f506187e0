/*
 * connect_kind - a new integration of one kind
 */
import { announce, button, calm, h, newId, notice, show } from './dom.js';
import { allKinds, ask } from './ask.js';
import { allTargets, filtersForm } from './filters.js';
import { asProblem, load, problemCard } from './load.js';
import { mark } from './marks.js';
import { mayWrite } from './session.js';
import { settingsForm } from './settings.js';
import { previewPanel, testPanel } from './try_out.js';

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

/** Keys of requests: one that may have arrived is sent again under the same, another one never is. */
function keeper() {
    let last = '';
    let key = '';
    return (body) => {
        const text = JSON.stringify(body);
        if (text !== last) key = crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4)), String).join('-');
        last = text;
        return key;
    };
}

function form(kind, targets, signal) {
    const keyOf = keeper();
    const changed = calm(() => preview.refresh(), 500);
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
            return ask('POST', '/integrations/test', { body: { kind: kind.kind, config: settings.config() }, signal }).catch((fault) => {
                if (fault.errors) leftOf(fault, settings.tell(fault));
                throw fault;
            });
        },
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
            const made = await ask('POST', '/integrations', { body, headers: { 'Idempotency-Key': keyOf(body) }, signal });
            notice(`Connected: ${made.data.name}.`);
            location.hash = `#/integrations/${encodeURIComponent(made.data.id)}`;
        } catch (fault) {
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

    const saver = button('Connect', save, { class: 'main' });
    const submit = (event) => {
        event.preventDefault();
        saver.click();
    };
    return h(
        'div',
        { class: 'two' },
        h(
            'form',
            { class: 'stack', novalidate: true, onsubmit: submit },
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
        h('div', { class: 'side stack' }, test, preview.node),
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
