/*
 * pages - a list of which the server gives a part at a time, and what chooses of it
 */
import { announce, button, h } from './dom.js';
import { ask } from './ask.js';
import { load, renew } from './load.js';
import { number } from './words.js';

const placeOf = (at, count, noun) => `Page ${at + 1}, ${count} ${noun} on it`;

/** Where one is, and buttons to the page before and behind. PAGES: the paths so far, AT: the one that is shown, NEXT: behind it. */
function pager({ pages, at, next, count, noun, go, back, on }) {
    return h(
        'nav',
        { class: 'pager', 'aria-label': `Pages of ${noun}` },
        h('span', { class: 'count' }, at === 0 && !next ? `${count} ${noun}` : placeOf(at, count, noun)),
        (at > 0 || next) && button(back, () => go(pages.slice(0, at), at - 1), { disabled: at === 0 }),
        (at > 0 || next) && button(on, () => go([...pages.slice(0, at + 1), next], at + 1), { disabled: !next }),
    );
}

/** For a page without rows that is not the only one. */
export function noneHere() {
    return h('div', { class: 'card framed' }, h('p', { class: 'state soft' }, 'None on this page; there may be older ones.'));
}

/**
 * Shows the pages of a list in BOX. FIRST makes the path of the first, DRAW what is shown of a page's rows, knowing whether it is the
 * first and whether it is the only one; NOUN names what they are; FAILED gets the Problem when a page could not be read. Returns what
 * reads the page again (refresh; again: without a wait before it), what begins at the first (restart), and whether that is what is
 * shown (isFirst). Whichever of them is the latest counts: an answer to an earlier one is not shown any more.
 */
export function paging({ box, first, draw, noun, signal, failed, back = 'Newer', on = 'Older', rows = 3 }) {
    let where = { pages: [first()], at: 0 };
    let count = '0';

    async function page(turn) {
        const { pages, at } = where;
        const { data, next } = await ask('GET', pages[at], { signal: turn });
        turn.throwIfAborted();
        const place = { isFirst: at === 0, isOnly: at === 0 && !next };
        const drawn = draw(data, place);
        count = number(data.length);
        if (data.length === 0 && place.isOnly) return drawn;
        return [drawn, pager({ pages, at, next: next ?? null, count, noun, go, back, on })];
    }

    /** To another page; the one that is left stays until the other is there, and the focus stays at its buttons. */
    async function go(pages, at) {
        where = { pages, at };
        if (!(await load(box, page, { signal, failed, quiet: true }))) return;
        if (document.activeElement === box) box.querySelector('.pager button:enabled')?.focus({ preventScroll: true });
        announce(placeOf(at, count, noun));
    }

    const refresh = () => load(box, page, { signal, rows, failed });
    return {
        refresh,
        restart: () => {
            where = { pages: [first()], at: 0 };
            return refresh();
        },
        again: () => renew(box, page, signal),
        isFirst: () => where.at === 0,
    };
}

/** A choice of one of WORDS, or of all of them, which ALL says; CHANGE gets the word, or ''. */
export function choice(label, words, { chosen, change, all, name }) {
    return h(
        'label',
        null,
        label,
        h(
            'select',
            { onchange: (event) => change(event.target.value) },
            h('option', { value: '' }, all),
            words.map((word) => h('option', { value: word, selected: word === chosen }, name(word))),
        ),
    );
}
