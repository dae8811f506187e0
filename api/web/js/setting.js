/*
 * setting - a field of the form for each setting of a kind, made of what GET /kinds says of it
 *
 * Each is {key, node, value(), check(strict), good(), tell(text)}. A value that is undefined is left out. The checks are the schema's, as one
 * types; the server has the last word, and knows more.
 */
import { calm, h, newId, show } from './dom.js';

const SHOWN = 'This does not look right';

function exampleText(setting) {
    return typeof setting.example === 'string' ? setting.example : JSON.stringify(setting.example);
}

/** Managers of passwords put the one of this site into a secret field that is only "off". */
function completion(setting) {
    return setting.secret ? 'new-password' : 'off';
}

/** What is wrong with TEXT, by SCHEMA; null: nothing that can be seen from here. */
function faultOf(text, schema, setting) {
    if (schema.maxLength && text.length > schema.maxLength) return `At most ${schema.maxLength} characters.`;
    if (schema.format === 'uri' && !/^https?:\/\/[^ ]+$/i.test(text)) return `${SHOWN}: a URL that begins with https://`;
    if (schema.pattern && !new RegExp(schema.pattern, 'u').test(text)) return `${SHOWN}. An example: ${exampleText(setting)}`;
    return null;
}

/* ---- the forms of a value: {node, main, value(), fault()} ---- */

function textForm(setting, id, changed) {
    const input = h('input', {
        type: setting.secret ? 'password' : 'text',
        id,
        autocomplete: completion(setting),
        spellcheck: 'false',
        autocapitalize: 'off',
        placeholder: setting.default ? setting.default : false,
        oninput: changed,
    });
    const toggle =
        setting.secret &&
        h(
            'button',
            {
                type: 'button',
                'aria-pressed': 'false',
                'aria-label': `Show ${setting.key}`,
                onclick: () => {
                    const shown = input.type === 'text';
                    input.type = shown ? 'password' : 'text';
                    toggle.setAttribute('aria-pressed', String(!shown));
                    toggle.textContent = shown ? 'Show' : 'Hide';
                },
            },
            'Show',
        );
    return {
        node: h('div', { class: 'with-button' }, input, toggle),
        main: input,
        value: () => input.value.trim() || undefined,
        fault: () => (input.value.trim() ? faultOf(input.value.trim(), setting.schema, setting) : null),
    };
}

function choiceForm(setting, id, changed) {
    const usual = setting.default ? `${setting.default} (as usual)` : 'not set';
    const select = h(
        'select',
        { id, onchange: changed },
        h('option', { value: '' }, usual),
        (setting.choices ?? []).filter((word) => word !== setting.default).map((word) => h('option', { value: word }, word)),
    );
    return { node: select, main: select, value: () => select.value || undefined, fault: () => null };
}

function listForm(setting, id, changed) {
    const area = h('textarea', { id, spellcheck: 'false', rows: 3, oninput: changed });
    const lines = () =>
        area.value
            .split('\n')
            .map((line) => line.trim())
            .filter(Boolean);
    const fault = () => {
        if (lines().length > (setting.schema.maxItems ?? Infinity)) return `At most ${setting.schema.maxItems} lines.`;
        return (
            lines()
                .map((line) => faultOf(line, setting.schema.items ?? {}, setting))
                .find(Boolean) ?? null
        );
    };
    return { node: area, main: area, note: 'One on each line.', value: () => (lines().length ? lines() : undefined), fault };
}

function mapForm(setting, id, changed) {
    const rows = h('div');
    const add = (focus) => {
        const name = h('input', {
            type: 'text',
            'aria-label': 'Name',
            placeholder: 'Name',
            autocomplete: 'off',
            spellcheck: 'false',
            oninput: changed,
        });
        const value = h('input', {
            type: setting.secret ? 'password' : 'text',
            'aria-label': 'Value',
            placeholder: 'Value',
            autocomplete: completion(setting),
            oninput: changed,
        });
        const row = h(
            'div',
            { class: 'pair' },
            name,
            value,
            h(
                'button',
                {
                    type: 'button',
                    'aria-label': 'Remove this line',
                    onclick: () => {
                        row.remove();
                        more.focus();
                        changed();
                    },
                },
                '✕',
            ),
        );
        rows.append(row);
        if (focus) name.focus();
    };
    const more = h(
        'button',
        { type: 'button', id, 'aria-label': `Add to ${setting.key}`, onclick: () => add(true) },
        `Add to ${setting.key}`,
    );
    const pairs = () =>
        [...rows.children]
            .map((row) => [...row.querySelectorAll('input')].map((input) => input.value.trim()))
            .filter(([name, value]) => name || value);
    const fault = () => {
        if (pairs().some(([name, value]) => !name || !value)) return 'Each line needs a name and a value.';
        return pairs().length > (setting.schema.maxProperties ?? Infinity) ? `At most ${setting.schema.maxProperties} lines.` : null;
    };
    return { node: h('div', null, rows, more), main: more, value: () => (pairs().length ? Object.fromEntries(pairs()) : undefined), fault };
}

/** One text for all choices, or one for each, or none. */
function eachForm(setting, id, changed) {
    const words = setting.choices ?? ['critical', 'high', 'medium', 'low', 'info'];
    const same = h('input', { type: 'text', 'aria-label': `${setting.key} for all`, oninput: changed });
    const single = new Map(
        words.map((word) => [
            word,
            h('input', { type: 'text', 'aria-label': `${setting.key} for ${word}`, placeholder: word, oninput: changed }),
        ]),
    );
    const more = h('div', { class: 'stack-small' });
    const select = h(
        'select',
        {
            id,
            onchange: () => {
                show(more, select.value === 'same' ? same : select.value === 'each' ? [...single.values()] : []);
                changed();
            },
        },
        [
            ['', 'As usual'],
            ['same', 'One for all'],
            ['each', 'One for each severity'],
            ['none', 'None'],
        ].map(([value, text]) => h('option', { value }, text)),
    );
    const value = () => {
        if (select.value === 'none') return false;
        if (select.value === 'same') return same.value.trim() || undefined;
        const given = [...single].map(([word, input]) => [word, input.value.trim()]).filter(([, text]) => text);
        return select.value === 'each' && given.length ? Object.fromEntries(given) : undefined;
    };
    return {
        node: h('div', { class: 'stack-small' }, select, more),
        main: select,
        value,
        fault: () => (select.value === 'same' && !same.value.trim() ? 'Put in the name.' : null),
    };
}

const FORMS = { url: textForm, text: textForm, choice: choiceForm, list: listForm, map: mapForm, each: eachForm };

/* ---- ---- */

/** NEEDED: a function that says whether it cannot be left out now. CHANGED: called when it was. */
export function settingField(setting, needed, changed) {
    const id = newId('setting');
    const wrong = h('p', { class: 'wrong', id: `${id}-wrong`, 'aria-live': 'polite' });
    const fine = h('span', { class: 'fine' });
    const mark = h('span', { class: 'needed' });
    let touched = false;

    const tell = (text) => {
        show(wrong, text ?? '');
        if (text) form.main.setAttribute('aria-invalid', 'true');
        else form.main.removeAttribute('aria-invalid');
    };
    const check = (strict) => {
        touched ||= strict;
        const value = form.value();
        const text = form.fault() ?? (touched && needed() && value === undefined ? `${setting.key} is needed.` : null);
        show(mark, needed() ? 'needed' : 'may be left out');
        show(fine, !text && typeof value === 'string' && (setting.schema.pattern || setting.schema.format) ? '✓ looks right' : '');
        tell(text);
        return !text;
    };
    const soon = calm(() => check(false));
    const form = (FORMS[setting.form] ?? textForm)(setting, id, () => {
        soon();
        changed();
    });
    form.main.setAttribute('aria-describedby', `${id}-help ${id}-wrong`);
    form.node.addEventListener('focusout', (event) => {
        if (form.node.contains(event.relatedTarget)) return;
        touched = true;
        soon(); // not at once: what moved now would slip from under the click that took the focus
    });
    const node = h(
        'div',
        { class: 'field' },
        h('label', { for: id }, h('code', null, setting.key), mark, fine),
        h(
            'p',
            { class: 'help', id: `${id}-help` },
            setting.help,
            form.note ? ` ${form.note}` : '',
            setting.default || setting.form === 'map' ? '' : ` For example ${exampleText(setting)}`,
        ),
        form.node,
        wrong,
    );
    check(false);
    const good = () => !form.fault() && (form.value() !== undefined || !needed());
    return { key: setting.key, node, value: form.value, check, good, tell, focus: () => form.main.focus() };
}
