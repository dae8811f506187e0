/*
 * kept - small texts that the browser keeps for this page
 *
 * A browser may be set to keep nothing, and then even looking throws: what is kept lasts as long as the page, which works all the same.
 */

/** WHERE returns a Storage, or throws. */
function keeper(where) {
    const here = new Map();
    const attempt = (work) => {
        try {
            return work(where());
        } catch {
            return null;
        }
    };
    return {
        get: (key) => attempt((storage) => storage.getItem(key)) ?? here.get(key) ?? null,
        set: (key, text) => {
            here.set(key, text);
            attempt((storage) => storage.setItem(key, text));
        },
        drop: (key) => {
            here.delete(key);
            attempt((storage) => storage.removeItem(key));
        },
    };
}

export const ofTab = keeper(() => sessionStorage);
export const ofBrowser = keeper(() => localStorage);
