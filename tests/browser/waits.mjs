// What the page says while the server wants to be asked less, and while there is none; and that it goes on by itself.

import { ask, assert, given, go, open, settled, until } from './lib.mjs';

export default async function flow() {
    const { page, watch } = await open({ token: given.token, path: '#/deliveries', expected: [429, 503, 0] });
    await settled(page);
    const card = page.getByRole('alert');

    // Too often: it says so, with the request's id, and asks again when it may.
    await ask('spend');
    await page.evaluate(() => {
        location.hash = '#/dead';
    });
    await card.getByRole('heading', { name: 'Too many requests' }).waitFor();
    await card.getByText(/Tries again (in \d+ s|now)\./).waitFor();
    assert.match(await card.textContent(), /Request [0-9a-f-]{36}, status 429/);
    await page.getByText('Nothing is dead').waitFor();
    assert.equal(await card.count(), 0);

    // Nobody there: what is in a form stays, and what changes something is not repeated.
    await go(page, '#/connect/webhook');
    await page.getByLabel('Name').first().fill('kept');
    await page.getByLabel('webhook_url').first().fill(given.hook);
    await page.waitForTimeout(1500);
    await ask('stop');
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByRole('heading', { name: 'No answer' }).first().waitFor();
    await page.getByText('nothing is made twice').waitFor();
    assert.equal(await page.getByLabel('Name').first().inputValue(), 'kept');
    await page.evaluate(() => {
        location.hash = '#/';
    });
    await page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
    await page
        .getByText(/Tries again in \d+ s\./)
        .first()
        .waitFor();
    await until(async () => (await page.getByRole('button', { name: 'Try again' }).count()) > 0, 'nothing to press');
    assert.ok((await page.evaluate(() => sessionStorage.length)) === 1, 'a server that is away ends no session');
    watch.check();
}
