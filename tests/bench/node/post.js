'use strict';
/* Requests on kept connections, by undici's lowest interface: it makes no stream of an answer that nobody reads. */

const { Pool } = require('undici');

const OPTIONS = { connections: 64, connect: { timeout: 5000 }, headersTimeout: 15000, bodyTimeout: 15000 };
const pools = new Map();

function poolOf(origin) {
    if (!pools.has(origin)) pools.set(origin, new Pool(origin, OPTIONS));
    return pools.get(origin);
}

class Answer {
    constructor(resolve) {
        this.onError = resolve;
        this.resolve = resolve;
        this.status = 0;
    }

    onConnect() {}

    onHeaders(status) {
        this.status = status;
        return true;
    }

    onData() {
        return true;
    }

    onComplete() {
        const good = this.status >= 200 && this.status < 300;
        this.resolve(good ? null : new Error(`the receiver answered ${this.status}`));
    }
}

/* A promise of what went wrong; null when the answer is 2xx. */
function post(settings, headers, body) {
    return new Promise((resolve) => {
        settings.pool.dispatch({ path: settings.path, method: 'POST', headers, body }, new Answer(resolve));
    });
}

module.exports = { poolOf, post };
