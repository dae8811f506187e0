/*
 * creation - nothing is made twice because an answer was lost
 *
 * A request that may have arrived is sent again under the same Idempotency-Key until something definite is known of it; another
 * request never is.
 */

function newKey() {
    return crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4)), String).join('-');
}

/** One that was looked at and refused has made nothing. Refusals that come before that say nothing of what was sent earlier. */
function isRefused(fault, lost) {
    return fault.status >= 400 && fault.status < 500 && !(lost && (fault.status === 401 || fault.status === 429));
}

export function keeper() {
    let sent = null; // {text, body, key, lost}: what was sent, and nobody knows yet what came of it
    return {
        /** What may have been made already, when it is another than BODY; null: nothing. */
        doubt: (body) => (sent?.lost && sent.text !== JSON.stringify(body) ? sent.body : null),
        /** What WORK, which gets the key of BODY, has answered. */
        async send(body, work) {
            const text = JSON.stringify(body);
            if (sent?.text !== text) sent = { text, body, key: newKey(), lost: false };
            try {
                const answer = await work(sent.key);
                sent = null;
                return answer;
            } catch (fault) {
                if (isRefused(fault, sent.lost)) sent = null;
                else sent.lost = true;
                throw fault;
            }
        },
    };
}
