// An answer that is lost makes nothing twice.

import { ask, assert, given, open, settled, until } from './lib.mjs';

export default async function flow() {
    const { page, watch } = await open({ token: given.token, path: `#/integrations/${given.integration}`, expected: [0, 429] });
    await settled(page);
    const dialog = page.getByRole('dialog');
    const press = (label) => page.getByRole('button', { name: label, exact: true }).click();

    // The request arrives, and its answer does not.
    const loseOne = (path) =>
        page.route(
            path,
            async (route) => {
                await route.fetch();
                await route.abort();
            },
            { times: 1 },
        );
    const refuseOne = (path) =>
        page.route(path, (route) => route.fulfill({ status: 429, headers: { 'Retry-After': '1' }, body: '{"detail": "too often"}' }), {
            times: 1,
        });

    await loseOne('**/duplicate');
    await press('Duplicate');
    await page.getByText('Try again in 5 s.').waitFor();
    assert.equal(await ask('count'), 2);
    await refuseOne('**/duplicate'); // says nothing of the first
    await press('Duplicate');
    await page.getByText('too often').waitFor();
    await press('Duplicate');
    await page.getByRole('heading', { name: '#security (copy)' }).waitFor();
    await settled(page);
    assert.equal(await ask('count'), 2);
    await press('Duplicate');
    await page.getByRole('heading', { name: '#security (copy) (copy)' }).waitFor();
    assert.equal(await ask('count'), 3);

    // Connecting: the same is sent again under its key; another one is asked about.
    await page.goto(`${given.url}/#/connect/webhook`);
    await page.getByRole('heading', { name: 'Connect Signed webhook' }).waitFor();
    await settled(page);
    const name = page.getByLabel('Name').first();
    await name.fill('#first');
    await page.getByLabel('webhook_url').first().fill(given.hook);
    await loseOne('**/integrations');
    await press('Connect');
    await page.getByText('nothing is made twice').waitFor();
    assert.equal(await ask('count'), 4);
    await name.fill('#second');
    await press('Connect');
    await dialog.getByText('there is one of its name now: #first').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'detached' });
    assert.equal(await ask('count'), 4);
    assert.equal(await name.inputValue(), '#second');
    await name.fill('#first');
    await press('Connect');
    await page.getByRole('heading', { name: '#first' }).waitFor();
    await until(async () => (await ask('count')) === 4, 'it was made twice');
    watch.check();
}
