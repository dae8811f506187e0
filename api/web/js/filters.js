/*
 * filters - which events an integration fires for: targets, types of events, severity
 *
 * Nothing chosen means all, here as in the API; so each part says in a sentence what it lets pass.
 */
import { h, newId, show, theirs } from './dom.js';
import { ask } from './ask.js';
import { EVENTS, SEVERITIES, joined, meaning, plural, routed, title } from './words.js';

const SHOWN_MAX = 200;
const PAGES_MAX = 20;

/** {all: every target of the workspace that was read, whole: there are no more}. */
export async function allTargets(signal) {
    const all = [];
    let path = '/targets?limit=500';
    for (let pages = 0; path && pages < PAGES_MAX; pages += 1) {
        const page = await ask('GET', path, { signal });
        all.push(...page.data);
        path = page.next;
    }
    return { all, whole: !path };
}

/** A list of boxes to tick. OPTIONS: [{value, text, small}]; CHOSEN: a Set that is changed. */
function boxes(options, chosen, changed) {
    return options.map((one) =>
        h(
            'label',
            { class: 'option' },
            h('input', {
                type: 'checkbox',
                value: one.value,
                checked: chosen.has(one.value),
                onchange: (event) => {
                    if (event.target.checked) chosen.add(one.value);
                    else chosen.delete(one.value);
                    changed();
                },
            }),
            h('span', null, one.text, one.small && h('small', null, one.small)),
        ),
    );
}

function part(legend, help, ...body) {
    const wrong = h('p', { class: 'wrong', role: 'alert' });
    const id = newId('part');
    const node = h(
        'fieldset',
        { class: 'field', 'aria-describedby': id },
        h('legend', null, legend),
        h('p', { class: 'help', id }, help),
        body,
        wrong,
    );
    return { node, tell: (text) => show(wrong, text ?? '') };
}

function targetsPart(targets, ids, changed) {
    const chosen = new Set(ids ?? []);
    const known = new Map(targets.all.map((one) => [one.id, one]));
    const gone = [...chosen].filter((id) => !known.has(id));
    const options = [
        ...gone.map((id) => ({
            value: id,
            text: targets.whole ? 'A target that is gone' : 'A target that is not in this list',
            small: id,
            find: id,
        })),
        ...targets.all.map((one) => ({
            value: one.id,
            text: theirs(one.name),
            small: theirs([one.kind, one.base_url].filter(Boolean).join(' · ')),
            find: `${one.name} ${one.base_url} ${one.id}`.toLowerCase(),
        })),
    ];
    const sentence = h('p', { class: 'sentence', role: 'status' });
    const list = h('div', { class: 'options' });
    const nameOf = (id) => known.get(id)?.name ?? (targets.whole ? 'one that is gone' : 'one that is not in this list');
    const tell = () => {
        const names = [...chosen].slice(0, 3).map(nameOf);
        clear.hidden = chosen.size === 0;
        if (chosen.size > 3) names.push(`${plural(chosen.size - 3, 'other')}`);
        show(
            sentence,
            chosen.size === 0
                ? 'Fires for every target, also for those that are added later.'
                : ['Fires for ', plural(chosen.size, 'target'), ' only: ', theirs(joined(names)), '.'],
        );
    };
    const search = (text) => {
        const fitting = options.filter((one) => one.find.includes(text));
        const isChosen = (one) => chosen.has(one.value);
        const found = [...fitting.filter(isChosen), ...fitting.filter((one) => !isChosen(one))]; // no tick is beyond what is shown
        show(
            list,
            found.length === 0 &&
                h('p', { class: 'soft' }, options.length ? 'No target has such a name.' : 'The workspace has no targets yet.'),
            boxes(found.slice(0, SHOWN_MAX), chosen, () => {
                tell();
                changed();
            }),
            found.length > SHOWN_MAX &&
                h('p', { class: 'soft small' }, `and ${plural(found.length - SHOWN_MAX, 'other')}: search for them`),
        );
    };
    const clear = h(
        'button',
        {
            type: 'button',
            class: 'plain',
            onclick: () => {
                chosen.clear();
                search('');
                field.value = '';
                tell();
                changed();
            },
        },
        'Choose none: every target',
    );
    const field = h('input', {
        type: 'search',
        'aria-label': 'Search targets',
        placeholder: 'Search targets',
        oninput: (event) => search(event.target.value.trim().toLowerCase()),
    });
    search('');
    tell();
    const made = part(
        'Targets',
        targets.whole
            ? 'Whose scans count. Choose none to fire for every target.'
            : 'Whose scans count. There are more targets than are listed here.',
        sentence,
        options.length > 8 && field,
        list,
        clear,
    );
    return { ...made, value: () => (chosen.size ? [...chosen] : null) };
}

function eventsPart(events, changed) {
    const chosen = new Set(events ?? []);
    const sentence = h('p', { class: 'sentence', role: 'status' });
    const words = [...EVENTS, ...[...chosen].filter((word) => !EVENTS.includes(word))];
    const tell = () =>
        show(
            sentence,
            chosen.size === 0
                ? 'Fires for every event.'
                : `Fires for ${joined(words.filter((word) => chosen.has(word)).map((word) => title(word).toLowerCase()))} only.`,
        );
    tell();
    const made = part(
        'Events',
        'Choose none to fire for every event.',
        sentence,
        h(
            'div',
            { class: 'options' },
            boxes(
                words.map((word) => ({ value: word, text: title(word), small: meaning('events', word) })),
                chosen,
                () => {
                    tell();
                    changed();
                },
            ),
        ),
    );
    return { ...made, value: () => (chosen.size ? words.filter((word) => chosen.has(word)) : null) };
}

function severityPart(severity, changed) {
    let chosen = severity ?? 'high';
    const name = newId('severity');
    const sentence = h('p', { class: 'sentence', role: 'status' });
    const tell = () => show(sentence, `Routes ${routed(chosen)}. Events of scans pass whatever this says.`);
    tell();
    const made = part(
        'Severity',
        'Findings below it are not sent.',
        sentence,
        h(
            'div',
            { class: 'severities' },
            [...SEVERITIES].reverse().map((word) =>
                h(
                    'label',
                    { class: 'option' },
                    h('input', {
                        type: 'radio',
                        name,
                        value: word,
                        checked: word === chosen,
                        onchange: () => {
                            chosen = word;
                            tell();
                            changed();
                        },
                    }),
                    title(word),
                ),
            ),
        ),
    );
    return { ...made, value: () => chosen };
}

/** {node, value(), set(name, value), tell(problem)}: of INTEGRATION, or of a new one. */
export function filtersForm(integration, targets, changed) {
    const makers = {
        target_ids: (ids) => targetsPart(targets, ids, changed),
        events: (events) => eventsPart(events, changed),
        severity_filter: (severity) => severityPart(severity, changed),
    };
    const parts = new Map(Object.entries(makers).map(([name, make]) => [name, make(integration?.[name])]));
    return {
        node: h(
            'div',
            null,
            [...parts.values()].map((one) => one.node),
        ),
        value: () => Object.fromEntries([...parts].map(([name, one]) => [name, one.value()])),
        set: (name, value) => {
            const part = makers[name](value);
            parts.get(name).node.replaceWith(part.node);
            parts.set(name, part);
        },
        tell: (problem) =>
            [...parts]
                .filter(([name, one]) => {
                    one.tell(problem?.of(name));
                    return problem?.of(name);
                })
                .map(([name]) => name),
    };
}
