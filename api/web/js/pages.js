/*
 * pages - a list of which the server gives a part at a time, and what chooses of it
 */
import { button, h, show } from './dom.js';
import { ask } from './ask.js';
import { load } from './load.js';
import { number } from './words.js';

/** Where one is, and buttons to the page before and behind. PAGES: the paths so far, AT: the one that is shown, NEXT: behind it. */
function pager({ pages, at, next, count, noun, go, back, on }) {
    return h(
        'nav',
        { class: 'pager', 'aria-label': `Pages of ${noun}` },
        h('span', { class: 'count' }, at === 0 && !next ? `${count} ${noun}` : `Page ${at + 1}, ${count} ${noun} on it`),
        (at > 0 || next) && button(back, () => go(pages.slice(0, at), at - 1), { disabled: at === 0 }),
        (at > 0 || next) && button(on, () => go([...pages.slice(0, at + 1), next], at + 1), { disabled: !next }),
    );
}

/**
 * Shows the pages of a list in BOX. FIRST makes the path of the first, DRAW what is shown of a page's rows, knowing whether it is the
 * first and whether it is the only one; NOUN names what they are. Returns what reads the page again (refresh; again: without a wait
 * before it), what begins at the first (restart), and whether that is what is shown (isFirst).
 */
export function paging({ box, first, draw, noun, signal, back = 'Newer', on = 'Older', rows = 3 }) {
    let pages = [first()];
    let at = 0;

    async function page() {
        const { data, next } = await ask('GET', pages[at], { signal });
        const place = { isFirst: at === 0, isOnly: at === 0 && !next };
        const drawn = draw(data, place);
        if (data.length === 0 && place.isOnly) return drawn;
        const go = (all, index) => {
            pages = all;
            at = index;
            refresh();
        };
        return [drawn, pager({ pages, at, next: next ?? null, count: number(data.length), noun, go, back, on })];
    }

    const refresh = () => load(box, page, { signal, rows });
    return {
        refresh,
        restart: () => {
            pages = [first()];
            at = 0;
            return refresh();
        },
        again: async () => show(box, await page()),
        isFirst: () => at === 0,
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
