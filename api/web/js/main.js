/*
 * main - which page is shown
 *
 * The address behind the # names it, so that pages can be linked to, and the way back works. A page is a function of a box, its
 * parameters and a signal that ends its requests and its timers when it is left.
 */
import { announce, h, notice, show } from './dom.js';
import { ask } from './ask.js';
import { applyTheme, drawFrame } from './frame.js';
import { load } from './load.js';
import signIn from './sign_in.js';
import { mayWrite, onEnd, setMe, token, whoAmI, whyEnded } from './session.js';
import { mayLeave, unsaved } from './unsaved.js';

const ROUTES = [
    [/^\/$/, 'Overview', () => import('./overview.js')],
    [/^\/connect$/, 'Connect', () => import('./connect.js')],
    [/^\/connect\/([a-z_]+)$/, 'Connect', () => import('./connect_kind.js')],
    [/^\/integrations\/([^/]+)$/, 'Integration', () => import('./integration.js')],
    [/^\/deliveries$/, 'Deliveries', () => import('./deliveries.js')],
    [/^\/deliveries\/([^/]+)\/([^/]+)$/, 'Delivery', () => import('./delivery.js')],
    [/^\/dead$/, 'Dead letters', () => import('./dead.js')],
    [/^\/dead\/events$/, 'Dead events', () => import('./dead_events.js')],
];

let leave = new AbortController();

/** {path, query} of the address. */
function here() {
    const [path, query = ''] = location.hash.replace(/^#/, '').split('?');
    return { path: path.startsWith('/') ? path : '/', query: new URLSearchParams(query) };
}

/** NULL: the address names no page. */
function find(path) {
    try {
        for (const [pattern, name, module] of ROUTES) {
            const match = pattern.exec(path);
            if (match) return { name, module, words: match.slice(1).map(decodeURIComponent) };
        }
    } catch {
        // A word that cannot be decoded.
    }
    return null;
}

/** The heading takes the focus, so that whoever listens hears where they are, and Tab goes on from there. */
function arrive(name, main, first) {
    document.title = `${name} · Pencheff notify`;
    main.dataset.shown = name;
    window.scrollTo(0, 0);
    if (first || main.contains(document.activeElement)) return; // it has put the focus where it is wanted
    announce(name);
    const heading = main.querySelector('h1');
    heading?.setAttribute('tabindex', '-1');
    (heading ?? main).focus({ preventScroll: true });
}

/** What somebody saw who is not signed in any more. */
function clear(main) {
    for (const dialog of document.querySelectorAll('dialog')) dialog.close('no');
    for (const id of ['notices', 'said']) show(document.getElementById(id));
    show(main);
}

let kept = null; // {home, workspace, leave, title, nodes}: a page with unsaved work whose token has ended

/** Who did not ask for the end of the session finds the work again after signing in to the same workspace. Whether there is any. */
function keepWork() {
    const work = unsaved();
    if (!work || !whyEnded()) return false;
    kept = { ...work, leave, title: document.title, nodes: [...document.getElementById('main').childNodes] };
    leave = new AbortController(); // it is not left
    return true;
}

/** Whether the kept page is shown again, as NAME; one that cannot be is left. */
function takeBack(main, name) {
    const back = kept;
    kept = null;
    if (!back) return false;
    if (back.home !== location.href || back.workspace !== whoAmI().workspace_id || !mayWrite()) {
        back.leave.abort();
        return false;
    }
    leave = back.leave;
    show(main, back.nodes);
    arrive(name, main, false);
    document.title = back.title;
    return true;
}

async function showPage(first = false) {
    leave.abort();
    leave = new AbortController();
    const { signal } = leave;
    const main = document.getElementById('main');
    if (!token()) {
        clear(main);
        drawFrame('');
        signIn(main, () => showPage());
        arrive('Sign in', main, false);
        return;
    }
    const { path, query } = here();
    if (!whoAmI()) {
        const look = async () => {
            setMe((await ask('GET', '/token', { signal })).data);
            showPage(first); // which ends this turn, so that nothing is drawn over the page
        };
        await load(main, look, { signal, quiet: true });
        return;
    }
    const found = find(path);
    drawFrame(path);
    if (!found) {
        show(main, h('h1', null, 'There is no such page'), h('p', null, h('a', { href: '#/' }, 'To the overview')));
        arrive('No such page', main, first);
        return;
    }
    if (takeBack(main, found.name)) return;
    try {
        const module = await found.module();
        if (signal.aborted) return;
        const box = h('div');
        show(main, box);
        module.default(box, { words: found.words, query, signal });
        arrive(found.name, main, first);
    } catch (fault) {
        console.error(fault);
        show(
            main,
            h(
                'section',
                { class: 'card error', role: 'alert' },
                h('h2', null, 'A part of the page did not load'),
                h('p', null, 'The server is away, or was changed meanwhile.'),
                h('div', { class: 'actions' }, h('button', { type: 'button', onclick: () => location.reload() }, 'Load it again')),
            ),
        );
    }
}

/** The other pages, once the first is there: then each opens at once, also when the server is away for a moment. */
function fetchOthers() {
    for (const [, , module] of ROUTES) module().catch(() => {}); // it is asked for again when it is wanted
}

applyTheme();
onEnd(() => {
    const isKept = keepWork();
    showPage();
    if (isKept) notice('What you typed is there again when you have signed in.');
});
window.addEventListener('hashchange', async () => {
    // Anything else is a place on the page that is shown.
    if (/^#\/|^$/.test(location.hash) && (await mayLeave())) showPage();
});
document.querySelector('.skip').addEventListener('click', (event) => {
    event.preventDefault();
    document.getElementById('main').focus();
});
showPage(true).then(() => setTimeout(fetchOthers, 1000));
