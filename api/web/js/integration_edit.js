/*
 * integration_edit - the form of an integration that is there
 *
 * Only what is different is sent, and only over what was seen: when somebody was faster, both are shown, and one chooses.
 */
import { ask } from './ask.js';
import { leftOf, nameField } from './connect_kind.js';
import { button, calm, h, notice, show, theirs } from './dom.js';
import { filtersForm } from './filters.js';
import { asProblem, isLeft, problemCard } from './load.js';
import { settingsForm } from './settings.js';
import { title } from './words.js';

const same = (left, right) => JSON.stringify(left ?? null) === JSON.stringify(right ?? null);

function sorted(list) {
    return list ? [...list].sort() : null;
}

/** Members of NOW that differ from SEEN: only these are sent, so that nothing else is touched. */
function changes(seen, now) {
    const out = {};
    for (const [name, value] of Object.entries(now)) {
        const before = Array.isArray(seen[name]) ? sorted(seen[name]) : seen[name];
        if (!same(before, Array.isArray(value) ? sorted(value) : value)) out[name] = value;
    }
    return out;
}

function label(name) {
    return { target_ids: 'targets', severity_filter: 'severity', config: 'settings' }[name] ?? name;
}

function told(name, value) {
    if (name === 'config') return 'others';
    if (value === null) return 'all';
    return Array.isArray(value) ? value.map((one) => (name === 'events' ? title(one) : one)).join(', ') : String(value);
}

/**
 * The form of an integration. STATE: {data, etag}, as it was read last; whoever changes the integration otherwise puts there what it
 * is then. CHANGED: called when this form has. AGAIN: reads all of it again.
 */
export function editForm({ state, path, kind, targets, signal, changed, again }) {
    let settings = null;
    const said = h('div', { 'aria-live': 'polite' });
    const name = nameField(state.data.name, () => {});
    const filters = filtersForm(state.data, targets, () => {});
    const place = h('div');
    const replace = h('input', {
        type: 'checkbox',
        onchange: (event) => {
            settings =
                event.target.checked && kind
                    ? settingsForm(
                          kind,
                          calm(() => {}),
                      )
                    : null;
            show(place, settings?.node);
        },
    });

    async function send(body) {
        const answer = await ask('PATCH', path, { body, headers: { 'If-Match': state.etag }, signal });
        state.etag = answer.etag;
        state.data = answer.data;
    }

    async function compare(body) {
        try {
            await onChanged(body);
        } catch (fault) {
            if (!isLeft(fault, signal)) tell(asProblem(fault));
        }
    }

    /** Somebody else changed it: what they did is shown, and nothing of it is lost without being asked. */
    async function onChanged(body) {
        const fresh = await ask('GET', path, { signal });
        const theirChanges = changes(state.data, {
            name: fresh.data.name,
            enabled: fresh.data.enabled,
            severity_filter: fresh.data.severity_filter,
            events: fresh.data.events,
            target_ids: fresh.data.target_ids,
        });
        const list = Object.entries(theirChanges).map(([field, value]) => h('li', null, `${label(field)}: `, theirs(told(field, value))));
        show(
            said,
            h(
                'section',
                { class: 'card error', role: 'alert' },
                h('h2', null, 'Somebody changed it meanwhile'),
                h('p', null, 'Nothing of yours was saved, and it is still in the form.'),
                list.length
                    ? [h('p', null, 'Changed by them:'), h('ul', { class: 'bulleted' }, list)]
                    : h('p', null, 'They changed its settings, or changed it and back.'),
                h(
                    'div',
                    { class: 'actions' },
                    button(
                        'Save mine',
                        async () => {
                            state.etag = fresh.etag;
                            state.data = fresh.data;
                            await attempt(body);
                        },
                        { class: 'main' },
                    ),
                    button('Take theirs', again),
                ),
            ),
        );
    }

    /** Whether it was saved. */
    async function attempt(body) {
        try {
            await send(body);
            notice('Saved.');
            changed();
            show(said);
            if (body.config) {
                replace.checked = false;
                settings = null;
                show(place);
            }
            return true;
        } catch (fault) {
            if (isLeft(fault, signal)) return false;
            const problem = asProblem(fault);
            if (problem.status === 412) await compare(body);
            else tell(problem);
            return false;
        }
    }

    /** At the fields that it is about, and the rest below. */
    function tell(problem) {
        name.tell(problem.of('name'));
        const shown = [...(settings?.tell(problem) ?? []), ...filters.tell(problem), ...(problem.of('name') ? ['name'] : [])];
        const again = problem.wait && h('span', { class: 'small soft' }, `Try again in ${Math.ceil(problem.wait)} s.`);
        show(said, problemCard(leftOf(problem, shown), again));
    }

    async function save() {
        filters.tell(null);
        if (!name.check()) return name.focus();
        if (settings && !settings.check()) return undefined;
        const body = {
            ...changes(state.data, { name: name.value(), ...filters.value() }),
            ...(settings ? { config: settings.config() } : {}),
        };
        if (Object.keys(body).length === 0) {
            show(said, h('p', { class: 'soft', role: 'status' }, 'Nothing is different, so nothing was saved.'));
            return undefined;
        }
        return attempt(body);
    }

    const saver = button('Save changes', save, { class: 'main' });
    const submit = (event) => {
        event.preventDefault();
        saver.click();
    };
    return h(
        'form',
        { class: 'stack', novalidate: true, onsubmit: submit },
        h(
            'section',
            { class: 'card' },
            h('h2', null, 'Where to'),
            name.node,
            h(
                'div',
                { class: 'field' },
                h('p', { class: 'help' }, 'Its settings are stored encrypted and never shown.'),
                kind && h('label', { class: 'option' }, replace, 'Replace the settings, all of them'),
                place,
            ),
        ),
        h('section', { class: 'card' }, h('h2', null, 'When it fires'), filters.node),
        said,
        h('div', { class: 'foot' }, saver),
    );
}
