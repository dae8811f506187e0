/*
 * session - who is signed in
 *
 * The token is kept in the session of this tab and nowhere else. A tab that is opened from this one, or a copy of it, begins with
 * the same, so that signing out in one signs out in all of this browser. What the token may do is asked of the API, which goes by
 * its own books in any case.
 */
import { ofTab } from './kept.js';

const KEY = 'notify.token';
const OUT = 'signed out';
const tabs = new BroadcastChannel('notify.session');
let me = null; // as GET /token has it
let said = null; // why the session ended
let ended = () => {};

export function token() {
    return ofTab.get(KEY);
}

export function begin(text, whose) {
    ofTab.set(KEY, text);
    me = whose;
    said = null;
}

/** NULL: nobody, or it was not asked yet. */
export function whoAmI() {
    return me;
}

export function setMe(whose) {
    me = whose;
}

export function mayWrite() {
    return me?.scope === 'write';
}

/** The page calls WORK when the session has ended. */
export function onEnd(work) {
    ended = work;
}

function end(why) {
    if (!token() && !me) return;
    ofTab.drop(KEY);
    me = null;
    said = why;
    ended();
}

/** WHY: in words, for the sign-in page; null: because it was asked for, and then in every tab. */
export function signOut(why = null) {
    end(why);
    if (why === null) tabs.postMessage(OUT);
}

tabs.addEventListener('message', ({ data }) => {
    if (data === OUT) end('it was asked for in another tab of this browser.');
});

export function whyEnded() {
    return said;
}
