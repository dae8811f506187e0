/*
 * frame - what stands around every page: where one can go, who one is, how bright it is
 */
import { closeDialogs } from './dialog.js';
import { h, show } from './dom.js';
import { ofBrowser } from './kept.js';
import { mayWrite, signOut, whoAmI } from './session.js';
import { mayLose } from './unsaved.js';
import { exact } from './words.js';

export { confirm } from './dialog.js';

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
    closeDialogs();
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
            me && h('button', { type: 'button', onclick: async () => (await mayLose()) && signOut() }, 'Sign out'),
        ),
    );
}
