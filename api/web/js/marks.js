/*
 * marks - a small drawing for each kind, to tell them apart at a glance
 *
 * Drawn for this page; none is a maker's sign. Beside each stands the kind's name, so they say nothing to a screen reader.
 */
import { s } from './dom.js';

const path = (d) => s('path', { d });
const dot = (cx, cy, r = 1.6) => s('circle', { cx, cy, r, class: 'full' });

const DRAWN = {
    // An arrow that arrives.
    webhook: () => [path('M3.5 12h11M10 7.5l4.5 4.5-4.5 4.5'), path('M20 5v14')],
    // A speech bubble with two lines crossing.
    slack: () => [path('M4 5h16v11h-9l-5 4v-4H4z'), path('M10 8v5M14 8v5M8.5 9.5h7M8.5 12h7')],
    // Two people.
    teams: () => [
        s('circle', { cx: 9, cy: 8, r: 3 }),
        path('M3.5 19c0-3.5 2.5-5.5 5.5-5.5s5.5 2 5.5 5.5'),
        s('circle', { cx: 17, cy: 9, r: 2.2 }),
        path('M16.5 13.5c2.5 0 4 1.7 4 4.5'),
    ],
    // Two bubbles.
    google_chat: () => [path('M3.5 4.5h11v8h-6l-3 2.5v-2.5h-2z'), path('M17 9h3.5v8h-2v2.5l-3-2.5H10v-1.5')],
    // A headset.
    discord: () => [
        path('M4 14v-2a8 8 0 0 1 16 0v2'),
        s('rect', { x: 3, y: 13, width: 4, height: 6, rx: 1.5 }),
        s('rect', { x: 17, y: 13, width: 4, height: 6, rx: 1.5 }),
        path('M19 19c0 1.5-2 2.5-5 2.5'),
    ],
    // A bell that rings.
    pagerduty: () => [path('M6 16v-5a6 6 0 0 1 12 0v5l1.5 2h-15z'), path('M10 21h4M2.5 8c.3-1.7 1-3 2-4M21.5 8c-.3-1.7-1-3-2-4')],
    // A lamp on a post.
    opsgenie: () => [s('circle', { cx: 12, cy: 8.5, r: 4.5 }), path('M6 20c1.5-3 3.5-4.5 6-4.5s4.5 1.5 6 4.5'), path('M12 6.5v4M10 8.5h4')],
    // A branch that is opened and joined.
    github: () => [
        s('circle', { cx: 6.5, cy: 5, r: 2 }),
        s('circle', { cx: 6.5, cy: 19, r: 2 }),
        s('circle', { cx: 17.5, cy: 8, r: 2 }),
        path('M6.5 7v10M17.5 10c0 4-5 3.5-11 5.5'),
    ],
    // A sheet with a tick.
    jira: () => [s('rect', { x: 4, y: 3.5, width: 16, height: 17, rx: 2 }), path('M8 9h8M8 15.5l2 2 4-4')],
    // A magnifier over lines.
    splunk: () => [path('M4 6h10M4 10h5M4 14h4M4 18h6'), s('circle', { cx: 15, cy: 13, r: 4 }), path('M18 16l3 3.5')],
};

export function mark(kind) {
    const drawn = DRAWN[kind] ?? (() => [s('circle', { cx: 12, cy: 12, r: 8 }), path('M12 8v5'), dot(12, 16, 1.2)]);
    return s('svg', { class: 'mark', viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' }, drawn());
}
