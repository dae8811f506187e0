/*
 * session - who is signed in
 *
 * The token is kept in the session of this tab and nowhere else: it is gone when the tab is closed. What it may do is asked of
 * the API, which goes by its own books in any case.
 */

const KEY = 'notify.token';
let me = null; // as GET /token has it
let said = null; // why the session ended
let ended = () => {};

export function token() {
    return sessionStorage.getItem(KEY);
}

export function begin(text, whose) {
    sessionStorage.setItem(KEY, text);
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

/** WHY: in words, for the sign-in page; null: because it was asked for. */
export function signOut(why = null) {
    if (!token() && !me) return;
    sessionStorage.removeItem(KEY);
    me = null;
    said = why;
    ended();
}

export function whyEnded() {
    return said;
}
