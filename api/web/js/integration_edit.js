/*
 * integration_edit - the form of an integration that is there
 *
 * Only what is different from what the form was drawn from is sent, and only over the version that it was drawn from: when somebody was
 * faster, both are shown, and one chooses. Afterwards the form shows what is stored.
 */
import { ask } from './ask.js';
import { leftOf, nameField } from './connect_kind.js';
import { FIELDS, changes, changesInWords, same } from './differences.js';
import { announce, button, h, notice, show } from './dom.js';
import { filtersForm } from './filters.js';
import { asProblem, isLeft, problemCard } from './load.js';
import { settingsForm } from './settings.js';
import { testPanel } from './try_out.js';
import { guard } from './unsaved.js';

const OF_STORED = 'Sends a test through it, also while it is disabled.';
const OF_FORM = 'Sends a test with the new settings in the form. Nothing is saved.';

/**
 * {node, test, moved(before, now), drop()}: the form of an integration and the panel that tests it. READ: {data, etag}, what it is drawn
 * from. CHANGED: called with what it is now. MOVED: to be called when it was changed elsewhere on this page. DROP: what was typed is not
 * wanted any more.
 */
export function editForm({ read, path, kind, targets, signal, changed }) {
    let seen = read; // what is stored as far as the form knows, under its version
    let settings = null;
    let isLost = false; // no answer came to a change: it may be stored
    const said = h('div', { 'aria-live': 'polite' });
    const name = nameField(seen.data.name, () => {});
    const filters = filtersForm(seen.data, targets, () => {});
    const values = () => ({ name: name.value(), ...filters.value() });
    let drawn = values(); // as the fields were before anybody touched them
    const different = () => changes(drawn, values());
    const place = h('div');
    const test = testPanel(
        OF_STORED,
        async () => {
            if (!settings) return ask('POST', `${path}/test`, { signal });
            if (!settings.check()) return null;
            return ask('POST', '/integrations/test', { body: { kind: kind.kind, config: settings.config() }, signal });
        },
        signal,
        (problem) => settings && leftOf(problem, settings.tell(problem)),
    );
    const replacing = (on) => {
        replace.checked = on;
        settings = on && kind ? settingsForm(kind, test.stale) : null;
        test.say(settings ? OF_FORM : OF_STORED);
        show(place, settings?.node);
    };
    const replace = h('input', {
        type: 'checkbox',
        onchange: (event) => {
            test.stale();
            replacing(event.target.checked);
        },
    });
    const drop = guard(() => Object.keys({ ...different(), ...settings?.config() }).length > 0, signal);

    function set(field, value) {
        if (field === 'name') name.set(value);
        else filters.set(field, value);
    }

    /** NOW is stored, SENT of it was ours. What was not touched shows it; what was touched since stays as it is. */
    function settle(now, sent) {
        const held = values();
        for (const field of FIELDS) {
            if (field in sent) {
                drawn[field] = sent[field];
            } else if (same(held[field], drawn[field]) && !same(seen.data[field], now.data[field])) {
                set(field, now.data[field]);
                drawn[field] = values()[field];
            }
        }
        seen = now;
        changed(now);
    }

    /** All of the form is what is stored. */
    function take(fresh) {
        for (const field of FIELDS) set(field, fresh.data[field]);
        drawn = values();
        seen = fresh;
        test.stale();
        replacing(false);
        show(said);
        changed(fresh);
        saver.focus();
        announce('The form shows what they have saved.');
    }

    /** Somebody else changed it: what they did is shown, and nothing of it is lost without being asked. */
    async function compare() {
        const fresh = await ask('GET', path, { signal });
        changed(fresh);
        const mine = button('Save mine', () => save(fresh.etag), { class: 'main' });
        show(
            said,
            h(
                'section',
                { class: 'card error', role: 'alert' },
                h('h2', null, 'Somebody changed it meanwhile'),
                h('p', null, 'Nothing of yours was saved, and it is still in the form.'),
                isLost && h('p', null, 'No answer came to your last attempt: some of this may be your own.'),
                h('p', null, 'Changed by them:'),
                h(
                    'ul',
                    { class: 'bulleted' },
                    changesInWords(seen.data, fresh.data, targets).map((one) => h('li', null, one)),
                ),
                h(
                    'div',
                    { class: 'actions' },
                    mine,
                    button('Take theirs', () => take(fresh)),
                ),
            ),
        );
        mine.focus();
    }

    /** At the fields that it is about, and the rest below. */
    function tell(problem) {
        name.tell(problem.of('name'));
        const shown = [...(settings?.tell(problem) ?? []), ...filters.tell(problem), ...(problem.of('name') ? ['name'] : [])];
        const again = problem.wait && h('span', { class: 'small soft' }, `Try again in ${Math.ceil(problem.wait)} s.`);
        show(said, problemCard(leftOf(problem, shown), again));
    }

    async function send(body, etag) {
        const sent = settings;
        try {
            const { data, etag: now } = await ask('PATCH', path, { body, headers: { 'If-Match': etag }, signal });
            isLost = false;
            settle({ data, etag: now }, body);
            if (said.contains(document.activeElement)) saver.focus();
            show(said);
            if (body.config && settings === sent && same(sent.config(), body.config)) replacing(false);
            notice('Saved.');
        } catch (fault) {
            if (fault.status !== 412) {
                isLost = fault.status === 0 || fault.status >= 500;
                throw fault;
            }
            await compare();
        }
    }

    /** ETAG: of the version that may be overwritten; when nothing is said of it, the one that the form was drawn from. */
    async function save(etag = seen.etag) {
        filters.tell(null);
        if (!name.check()) return name.focus();
        if (settings && !settings.check()) return undefined;
        const body = { ...different(), ...(settings ? { config: settings.config() } : {}) };
        if (Object.keys(body).length === 0) {
            show(said, h('p', { class: 'soft', role: 'status' }, 'Nothing is different, so nothing was saved.'));
            return undefined;
        }
        try {
            await send(body, etag);
        } catch (fault) {
            if (!isLeft(fault, signal)) tell(asProblem(fault));
        }
        return undefined;
    }

    const saver = button('Save changes', () => save(), { class: 'main', type: 'submit' }); // Enter in a field is a click on it
    const node = h(
        'form',
        { class: 'stack', novalidate: true, onsubmit: (event) => event.preventDefault() },
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
    // When the form is of an older version than that, it stays so, and tells of it when it is saved.
    const moved = (before, now) => {
        seen = before.etag === seen.etag ? now : { ...seen, data: { ...seen.data, enabled: now.data.enabled } };
    };
    return { node, test: test.node, moved, drop };
}
