/*
 * ask - the API
 *
 * Every request goes through here, with the token of the session. What goes wrong is a Problem, which says it in words for
 * people, whatever it was: an error of the API's, a server that is not there, an answer that is none.
 */
import { signOut, token } from './session.js';

export class Problem extends Error {
    constructor(status, detail, more = {}) {
        super(detail);
        this.status = status; // 0: no answer came
        this.errors = more.errors ?? []; // [{field, detail}]
        this.requestId = more.requestId ?? null;
        this.wait = more.wait ?? null; // seconds until it may be asked again
    }

    /** What is wrong with the field of this name, or with a part of it: "target_ids" has "target_ids[3]". */
    of(field) {
        const found = this.errors.find(
            (one) => one.field === field || one.field.startsWith(`${field}[`) || one.field.startsWith(`${field}.`),
        );
        return found ? found.detail : null;
    }
}

function waitOf(reply) {
    const seconds = Number(reply.headers.get('Retry-After'));
    if (reply.status !== 429 && reply.status !== 503) return null;
    return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 300) : 2;
}

async function problemOf(reply) {
    let said = {};
    try {
        said = await reply.json();
    } catch {
        // No problem of the API's: a proxy before it, for example.
    }
    return new Problem(reply.status, said.detail ?? `The server answered ${reply.status}, and nothing that can be read.`, {
        errors: Array.isArray(said.errors) ? said.errors : [],
        requestId: said.request_id ?? reply.headers.get('X-Request-Id'),
        wait: waitOf(reply),
    });
}

/** The path of the next page; null: there is none. */
function nextOf(reply) {
    const link = /^<([^>]+)>; rel="next"$/.exec(reply.headers.get('Link') ?? '');
    return link ? link[1] : null;
}

function headersOf(body, given, asWhom) {
    const headers = new Headers(given);
    headers.set('Authorization', `Bearer ${asWhom}`);
    if (body !== undefined) headers.set('Content-Type', 'application/json');
    return headers;
}

async function send(method, path, { body, headers, signal, as } = {}) {
    try {
        return await fetch(path, {
            method,
            signal,
            cache: 'no-store',
            credentials: 'omit',
            redirect: 'error',
            referrerPolicy: 'no-referrer',
            headers: headersOf(body, headers, as ?? token()),
            body: body === undefined ? undefined : JSON.stringify(body),
        });
    } catch (fault) {
        if (fault.name === 'AbortError') throw fault;
        throw new Problem(0, 'The server does not answer. It may be restarting, or the network is away.', { wait: 5 });
    }
}

/** {data, etag, next, status}; throws a Problem. AS: another token than the session's, whose end does not end the session. */
export async function ask(method, path, options = {}) {
    const reply = await send(method, path, options);
    if (!reply.ok) {
        const problem = await problemOf(reply);
        if (reply.status === 401 && !options.as) signOut(problem.message);
        throw problem;
    }
    try {
        const data = reply.status === 204 ? null : await reply.json();
        return { data, etag: reply.headers.get('ETag'), next: nextOf(reply), status: reply.status };
    } catch (fault) {
        if (fault.name === 'AbortError') throw fault;
        throw new Problem(reply.status, 'The answer broke off, or was no JSON.', { requestId: reply.headers.get('X-Request-Id'), wait: 5 });
    }
}

/** "/deliveries?state=dead": the parameters that have a value. */
export function pathOf(path, parameters) {
    const query = new URLSearchParams(
        Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== ''),
    );
    return query.size ? `${path}?${query}` : path;
}

let kinds = null;

/** What GET /kinds says, asked for once. */
export async function allKinds(signal) {
    kinds ??= (await ask('GET', '/kinds', { signal })).data;
    return kinds;
}
