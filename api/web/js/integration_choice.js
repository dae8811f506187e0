/*
 * integration_choice - an integration is found by a part of its name, and chosen of those that have it
 */
import { announce, button, calm, h, newId, theirs } from './dom.js';
import { ask, pathOf } from './ask.js';
import { load } from './load.js';
import { exact, kindName, plural } from './words.js';

const LIMIT = 10;

/**
 * {field, found}: where one types, and where what has such a name is shown, to choose. PICK is called with what was chosen; nothing
 * is before that, however few there are. SIGNAL: of the page.
 */
export function integrationChoice(pick, signal) {
    const id = newId('found');
    const found = h('div', { id, class: 'found stack-small' });
    const field = h('input', {
        type: 'search',
        spellcheck: 'false',
        maxlength: '200',
        placeholder: 'A part of its name',
        'aria-controls': id,
        oninput: calm(() => find(field.value.trim()), 300, signal),
    });

    function choose(one) {
        field.value = '';
        find('');
        field.focus();
        pick(one);
    }

    /** Names may be the same, so each says of what kind it is and since when it is there. */
    const offer = ({ integration }) =>
        button([theirs(integration.name), ` · ${kindName(integration.kind)}, of ${exact(integration.created_at)}`], () =>
            choose(integration),
        );

    async function look(text, turn) {
        const { data, next } = await ask('GET', pathOf('/overview', { limit: LIMIT, q: text }), { signal: turn });
        const said =
            data.length === 0 ? 'No integration has such a name.' : `${plural(data.length, 'integration')}${next ? ' and more' : ''}:`;
        announce(said);
        return [h('p', { class: 'small soft' }, said), h('div', { class: 'actions' }, data.map(offer))];
    }

    function find(text) {
        if (text) load(found, (turn) => look(text, turn), { signal, quiet: true });
        else load(found, () => [], { signal, quiet: true }); // which ends what was looked for
    }

    return { field: h('label', null, 'Integration', field), found };
}
