// What every flow stands on: a browser, a page that is watched, and a line to the test that started it.
//
// A page is watched from its first byte on: an error in its console, a violation of its policy, a request that leaves its origin, or
// a fault of its scripts fails the flow, whatever else it looks at.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

// Packages are where NODE_PATH says, which import does not look at.
const require = createRequire(import.meta.url);
const { chromium } = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function line() {
    const { value, done } = await lines.next();
    if (done) throw new Error('the test is gone');
    return JSON.parse(value);
}

/** What the test gave. */
export const given = await line();

/** Lets the test do something: what it returned. */
export async function ask(what, details = {}) {
    process.stdout.write(`${JSON.stringify({ ask: what, ...details })}\n`);
    return line();
}

/** For the test, when the flow is over. */
export function report(figures) {
    process.stdout.write(`${JSON.stringify({ report: figures })}\n`);
}

let browser = null;

export async function launch() {
    browser ??= await chromium.launch({
        executablePath: given.chromium,
        chromiumSandbox: process.getuid() !== 0,
        args: ['--disable-gpu', '--disable-dev-shm-usage'],
    });
    return browser;
}

export async function end() {
    await browser?.close();
}

class Watch {
    constructor() {
        this.faults = [];
        this.expected = new Set(); // statuses that are no fault
        this.bytes = 0;
        this.requests = [];
    }

    attach(page) {
        page.on('console', (message) => {
            const status = /the server responded with a status of (\d+)/.exec(message.text())?.[1];
            const away = /ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED|ERR_FAILED/.test(message.text()) && this.expected.has(0);
            if (message.type() === 'warning' || (message.type() === 'error' && !this.expected.has(Number(status)) && !away))
                this.faults.push(`console: ${message.text()}`);
        });
        page.on('pageerror', (error) => this.faults.push(`page: ${error.stack ?? error}`));
        page.on('request', (request) => {
            this.requests.push(request);
            const url = new URL(request.url());
            if (url.protocol !== 'data:' && url.origin !== new URL(given.url).origin) this.faults.push(`a request left: ${request.url()}`);
        });
    }

    check() {
        assert.deepEqual(this.faults, []);
    }
}

/** {page, watch}. OPTIONS: of a context; axe: the page has axe in it; token: signed in with it; expected: statuses that are no fault. */
export async function open({ axe = false, token = null, path = '', expected = [], ...options } = {}) {
    const context = await (
        await launch()
    ).newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce', ...options });
    if (axe) await context.addInitScript({ content: AXE });
    const page = await context.newPage();
    page.setDefaultTimeout(15000);
    const watch = new Watch();
    watch.expected = new Set(expected);
    watch.attach(page);
    // As a violation is an event of the document, it is told as an error of the console.
    await page.addInitScript(() =>
        document.addEventListener('securitypolicyviolation', (event) =>
            console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
        ),
    );
    if (token) await signIn(page, token, path);
    else await page.goto(`${given.url}/${path}`);
    return { page, watch, context };
}

export async function signIn(page, token, path = '') {
    await page.goto(`${given.url}/${path}`);
    await page.getByLabel('API token').fill(token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Sign out' }).waitFor();
}

/** To the page behind the #, until all of it is there. */
export async function go(page, path) {
    await page.evaluate((hash) => {
        if (location.hash !== hash) delete document.getElementById('main').dataset.shown;
        location.hash = hash;
    }, path);
    await settled(page);
}

export async function settled(page) {
    await page.waitForFunction(
        () =>
            document.querySelector('h1') &&
            document.getElementById('main').dataset.shown &&
            !document.querySelector('[aria-busy], .waits, .busy'),
    );
}

/** Violations of WCAG 2.2 A and AA and of good practice, as text. */
export async function violations(page) {
    const found = await page.evaluate(async () => {
        const result = await window.axe.run(document, { resultTypes: ['violations'] });
        return result.violations.map(
            (one) =>
                `${one.id} (${one.help}): ${one.nodes.map((node) => `${node.target.join(' ')} ${node.failureSummary.replaceAll('\n', ' ')}`).join(' | ')}`,
        );
    });
    return found;
}

/** How much wider than its window the page is. */
export function overhang(page) {
    return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** Waits until WORK returns something true. */
export async function until(work, why = 'it did not happen in time', timeout = 15000) {
    const deadline = Date.now() + timeout;
    for (;;) {
        const value = await work();
        if (value) return value;
        if (Date.now() > deadline) throw new Error(why);
        await new Promise((resolve) => {
            setTimeout(resolve, 50);
        });
    }
}

export { assert };
