// What comes late is not shown over what is newer; what is not read again any more says so; nobody loses their place meanwhile.

import { assert, given, go, open, settled, until } from './lib.mjs';

const said = (page) => page.evaluate(() => document.getElementById('said').textContent);
const focus = (page) => page.evaluate(() => document.activeElement.textContent.trim());

/** Holds the next request that PATTERN names: {came, release}; release resolves when whatever came of it would be drawn. */
async function hold(page, pattern) {
    let found;
    const came = new Promise((resolve) => {
        found = resolve;
    });
    await page.route(pattern, found, { times: 1 });
    return {
        came,
        release: async () => {
            const route = await came;
            const over = new Promise((resolve) => {
                for (const event of ['requestfinished', 'requestfailed'])
                    page.on(event, (request) => request === route.request() && resolve());
            });
            const already = route.request().failure() !== null;
            await route.continue().catch(() => {}); // it was given up meanwhile
            if (!already) await over;
            await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
        },
    };
}

async function overview(page) {
    const search = page.getByLabel('Search by name');
    const late = await hold(page, /\/overview\?.*q=slow/);
    await search.fill('slow');
    await late.came;
    await search.fill('zzz nothing');
    await page.getByText('Nothing matches').waitFor();
    await late.release();
    assert.equal(await page.getByRole('link', { name: 'slow hook' }).count(), 0, 'an answer of before stands under what was asked later');

    // What is looked for stands in the address, so that the way back leads to it.
    await search.fill('slow');
    await page.getByRole('link', { name: 'slow hook' }).click();
    await page.getByRole('heading', { name: 'slow hook' }).waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await settled(page);
    assert.equal(await page.getByLabel('Search by name').inputValue(), 'slow');
    assert.equal(await page.locator('.one').count(), 1);

    // Figures that cannot be read say so, and those in which somebody is stay.
    await page.getByText('Live', { exact: true }).waitFor();
    await page.locator('a.total', { hasText: 'dead' }).focus();
    await page.getByText('Paused while you are in it').waitFor();
    assert.match(await focus(page), /dead$/);
    await page.getByLabel('Search by name').focus();
    await page.route('**/stats?*', (route) => route.abort());
    await page.locator('.live', { hasText: /^Not live since \d\d:\d\d: The server does not answer\./ }).waitFor();
    await page.unrouteAll();
}

async function deliveries(page) {
    // Pages of one row each.
    const shorten = (route) => route.continue({ url: route.request().url().replace('limit=50', 'limit=1') });
    await page.route(/\/deliveries\?limit=50/, shorten);
    await go(page, '#/deliveries');
    const shown = () => page.locator('tbody a').first().getAttribute('href');
    const first = await shown();
    const late = await hold(page, /\/deliveries\?limit=50/);
    await late.came;
    const older = page.getByRole('button', { name: 'Older' });
    await older.click();
    await page.locator('.pager').getByText('Page 2').waitFor();
    const second = await shown();
    assert.notEqual(second, first);
    await late.release();
    assert.equal(await shown(), second, 'a page that was left stands over the next');
    assert.equal(await focus(page), 'Older');
    assert.match(await said(page), /^Page 2, 1 deliveries/);
    await older.click();
    await page.locator('.pager').getByText('Page 3').waitFor();
    assert.ok(![first, second].includes(await shown()), 'the page after the second is none of the two');
    for (let number = 4; await older.isEnabled(); number += 1) {
        await older.click();
        await page.locator('.pager').getByText(`Page ${number},`).waitFor();
    }
    assert.equal(await focus(page), 'Newer', 'there is nothing older, and the focus is lost');
    await page.unrouteAll();

    // Whether it is live.
    await go(page, '#/');
    await go(page, '#/deliveries');
    await page.getByText('Live', { exact: true }).waitFor();
    await page.route(/\/deliveries\?limit=50/, (route) => route.abort());
    await page.locator('.live', { hasText: /^Not live since \d\d:\d\d: The server does not answer\./ }).waitFor();
    assert.match(await said(page), /^Not live since/);
    assert.ok((await page.locator('tbody tr').count()) > 0, 'what was read is gone');
    await page.unrouteAll();
    await page.getByText('Live', { exact: true }).waitFor();
    assert.equal(await said(page), 'Live again');
    await page.locator('tbody a').first().focus();
    await page.getByText('Paused while you are in it').waitFor();

    // Who follows a link while an id is typed is not brought back.
    await page.getByLabel('Id to look for').fill(given.finding);
    await page.evaluate(() => {
        location.hash = '#/dead';
    });
    await page.getByRole('heading', { name: 'Dead letters' }).waitFor();
    await page.waitForTimeout(600); // longer than the page waits for more to be typed
    assert.match(page.url(), /#\/dead$/);
}

async function dead(page) {
    await go(page, '#/');
    await page.route(/state=dead/, (route) => route.fulfill({ status: 429, headers: { 'Retry-After': '2' }, json: { detail: 'rest' } }), {
        times: 1,
    });
    await page.evaluate(() => {
        location.hash = '#/dead';
    });
    await page.getByText(/Tries again in \d s/).waitFor();
    await page.getByLabel('Reason').selectOption('rejected');
    await page.getByRole('checkbox', { name: /^Choose Finding new/ }).check();
    await page.getByText('1 delivery chosen').waitFor();
    await page.waitForTimeout(3000); // longer than the countdown
    assert.ok(await page.getByText('1 delivery chosen').isVisible(), 'a countdown of before took the choice away');

    // What is not shown is not chosen.
    await page.route(/reason=gone/, (route) => route.abort(), { times: 1 });
    await page.getByLabel('Reason').selectOption('gone');
    await page.getByRole('heading', { name: 'No answer' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Replay' }).count(), 0);
}

/** One that moves: that of a delivery which died, were it waiting. */
async function delivery(page) {
    const path = `/deliveries/${given.event}/${given.integration}`;
    let asked = 0;
    const waits = async (route) => {
        const response = await route.fetch();
        asked += 1;
        await route.fulfill({ response, json: { ...(await response.json()), state: 'waiting' } });
    };
    await page.route(`**${path}`, waits);
    await go(page, `#${path}`);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Why?' }).focus();
    await until(() => asked > 2, 'it is not read again');
    await settled(page);
    assert.equal(await focus(page), 'Why?');
    await page.unrouteAll();
    await page.route(`**${path}`, (route) => route.abort());
    await page.locator('.live', { hasText: /^Not live since \d\d:\d\d: The server does not answer\./ }).waitFor();
    await page.unrouteAll();
}

export default async function flow() {
    const { page, watch } = await open({ token: given.token, expected: [0, 429] });
    await settled(page);
    await overview(page);
    await deliveries(page);
    await dead(page);
    await delivery(page);
    watch.check();
}
