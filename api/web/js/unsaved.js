/*
 * unsaved - what was typed and not saved is not lost without a question
 *
 * The form of the page that is shown says whether it holds such work. The browser asks before a reload, and a question of ours before
 * another page.
 */
import { closeDialogs, confirm } from './dialog.js';
import { whoAmI } from './session.js';

let held = null; // {isDirty, home, workspace}: the form that is shown
let asked = 0;

/** ISDIRTY: whether there is work in the form of the page that SIGNAL ends. Returns what lets go of it, for when it is saved. */
export function guard(isDirty, signal) {
    const mine = { isDirty, home: location.href, workspace: whoAmI()?.workspace_id };
    held = mine;
    const drop = () => {
        if (held === mine) held = null;
    };
    signal.addEventListener('abort', drop);
    window.addEventListener('beforeunload', (event) => held === mine && isDirty() && event.preventDefault(), { signal });
    return drop;
}

/** {home, workspace}: where there is work that is not saved; null: there is none. */
export function unsaved() {
    return held?.isDirty() ? held : null;
}

/** Whether what was typed may be lost: asked when there is any. */
export async function mayLose() {
    closeDialogs();
    if (!unsaved()) return true;
    return confirm({
        heading: 'Leave without saving?',
        text: 'What you typed here is kept nowhere.',
        yes: 'Leave',
        no: 'Stay',
        danger: true,
    });
}

/** The same when the address has become another already, which is put back when they stay. */
export async function mayLeave() {
    asked += 1;
    const mine = asked;
    const home = held?.home;
    if (home === location.href) {
        closeDialogs(); // they came back while they were asked
        return false;
    }
    const leaves = await mayLose();
    if (mine !== asked) return false; // it became another meanwhile, which is asked about
    if (!leaves) history.pushState(null, '', home);
    return leaves;
}
