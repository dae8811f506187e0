/*
 * frame - what stands around every page: where one can go, who one is, how bright it is; and dialogs
 */
import { h, newId, show } from './dom.js';
import { ofBrowser } from './kept.js';
import { mayWrite, signOut, whoAmI } from './session.js';
import { exact } from './words.js';

const THEME = 'notify.theme';
const PAGES = [
    ['#/', 'Overview'],
    ['#/connect', 'Connect'],
    ['#/deliveries', 'Deliveries'],
    ['#/dead', 'Dead letters'],
];

export function applyTheme() {
    const theme = ofBrowser.get(THEME);
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
}

function themeSwitch() {
    const chosen = ofBrowser.get(THEME) ?? 'auto';
    return h(
        'select',
        {
            'aria-label': 'Colours',
            onchange: (event) => {
                ofBrowser.set(THEME, event.target.value);
                applyTheme();
            },
        },
        [
            ['auto', 'As the system'],
            ['light', 'Light'],
            ['dark', 'Dark'],
        ].map(([value, text]) => h('option', { value, selected: value === chosen }, text)),
    );
}

/** PATH: of the page that is shown; null: the sign-in page. */
export function drawFrame(path) {
    const top = document.getElementById('top');
    const me = whoAmI();
    const pages = PAGES.filter(([href]) => href !== '#/connect' || mayWrite());
    const isAt = (href) => (href === '#/' ? path === '/' || path.startsWith('/integrations') : path.startsWith(href.slice(1)));
    show(
        top,
        top.firstElementChild,
        me &&
            h(
                'nav',
                { class: 'pages', 'aria-label': 'Pages' },
                pages.map(([href, text]) => h('a', { href, 'aria-current': isAt(href) && 'page' }, text)),
            ),
        h(
            'div',
            { class: 'who' },
            me &&
                h(
                    'span',
                    { class: 'soft', title: `Workspace ${me.workspace_id}${me.expires_at ? `, until ${exact(me.expires_at)}` : ''}` },
                    h('bdi', null, me.name),
                    mayWrite() ? '' : ' · may only read',
                ),
            themeSwitch(),
            me && h('button', { type: 'button', onclick: () => signOut() }, 'Sign out'),
        ),
    );
}

/** Asks before something ends. Resolves to whether it was agreed to; Escape is a no. */
export function confirm({ heading, text, points = [], yes, danger = false }) {
    const id = newId('dialog');
    return new Promise((resolve) => {
        const dialog = h(
            'dialog',
            { 'aria-labelledby': id, onclose: () => (dialog.remove(), resolve(dialog.returnValue === 'yes')) },
            h('h2', { id }, heading),
            h(
                'div',
                { class: 'stack-small' },
                h('p', null, text),
                points.length > 0 &&
                    h(
                        'ul',
                        { class: 'bulleted' },
                        points.map((one) => h('li', null, one)),
                    ),
            ),
            h(
                'div',
                { class: 'actions' },
                h('button', { type: 'button', onclick: () => dialog.close('no') }, 'Cancel'),
                h('button', { type: 'button', class: danger ? 'main danger' : 'main', onclick: () => dialog.close('yes') }, yes),
            ),
        );
        document.body.append(dialog);
        dialog.showModal();
    });
}
