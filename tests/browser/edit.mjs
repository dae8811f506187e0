// An integration that is there: changed, changed by two at once, tested, disabled, enabled, copied, deleted.

import { ask, assert, given, open, settled, until } from './lib.mjs';

export default async function flow() {
    const { page, watch } = await open({ token: given.token, path: `#/integrations/${given.integration}` });
    watch.expected.add(412);
    await settled(page);
    const save = page.getByRole('button', { name: 'Save changes' });
    const row = () => ask('row', { id: given.integration });
    const before = await row();

    await save.click();
    await page.getByText('Nothing is different, so nothing was saved.').waitFor();
    await page.getByLabel('Name').first().fill('#renamed');
    await page.getByRole('radio', { name: 'Low' }).check();
    await save.click();
    await page.getByRole('heading', { name: '#renamed' }).waitFor();
    assert.deepEqual(await row(), { ...before, name: '#renamed', severity_filter: 'low' });
    assert.deepEqual(
        JSON.parse(
            watch.requests
                .filter((request) => request.method() === 'PATCH')
                .at(-1)
                .postData(),
        ),
        { name: '#renamed', severity_filter: 'low' },
    );

    // Somebody else was faster: nothing is lost, and one is asked.
    await ask('change', { id: given.integration, severity_filter: 'critical' });
    await page.getByLabel('Name').first().fill('#mine');
    await save.click();
    await page.getByRole('heading', { name: 'Somebody changed it meanwhile' }).waitFor();
    await page.getByText('severity: critical').waitFor();
    assert.equal((await row()).name, '#renamed');
    await page.getByRole('button', { name: 'Save mine' }).click();
    await page.getByRole('heading', { name: '#mine' }).waitFor();
    assert.deepEqual([(await row()).name, (await row()).severity_filter], ['#mine', 'critical']);
    await ask('change', { id: given.integration, severity_filter: 'medium' });
    await page.getByLabel('Name').first().fill('#mine again');
    await save.click();
    await page.getByRole('button', { name: 'Take theirs' }).click();
    await until(async () => page.getByRole('radio', { name: 'Medium' }).isChecked(), 'their severity is not shown');
    assert.equal(await page.getByLabel('Name').first().inputValue(), '#mine');

    // The settings are replaced as a whole, and only when that is chosen.
    assert.deepEqual((await row()).config, before.config);
    await page.getByLabel('Replace the settings, all of them').check();
    await page.getByLabel('webhook_url').first().fill(given.hook);
    await save.click();
    await until(async () => (await row()).config.webhook_url === given.hook, 'the settings were not replaced');
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByText('✓ The test was taken').waitFor();
    await ask('refuse');
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByText('✗ The test was not taken').waitFor();
    await page.getByText('Status 418').waitFor();
    await page.getByLabel('Answer').getByText('I am a teapot').waitFor();

    // What will stop is said before it stops; Escape is a no.
    await page.getByRole('button', { name: 'Disable' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('What waits for another attempt or is deferred is canceled.').waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.equal((await row()).enabled, true);
    await page.getByRole('button', { name: 'Disable' }).click();
    await dialog.getByRole('button', { name: 'Disable' }).click();
    await page.getByLabel('Name').first().fill('not saved yet');
    await page.getByRole('button', { name: 'Enable' }).click();
    await page.getByRole('button', { name: 'Disable' }).waitFor();
    assert.equal((await row()).enabled, true);
    assert.equal(await page.getByLabel('Name').first().inputValue(), 'not saved yet');
    await page.getByLabel('Name').first().fill('#mine');
    await page.getByRole('radio', { name: 'High' }).check();
    await save.click();
    await until(async () => (await row()).severity_filter === 'high', 'it could not be saved after it was enabled');

    await page.getByRole('button', { name: 'Duplicate' }).click();
    await page.getByRole('heading', { name: '#mine (copy)' }).waitFor();
    await page.getByRole('button', { name: 'Enable' }).waitFor();
    const copy = page.url().split('/').at(-1);
    assert.equal((await ask('row', { id: copy })).enabled, false);
    await page.getByRole('button', { name: 'Delete' }).click();
    await dialog.getByText('its settings are gone for good').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Delete' }).click();
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    assert.equal(await ask('row', { id: copy }), null);

    // One that is not there says so.
    watch.expected.add(404);
    await page.goto(`${given.url}/#/integrations/${copy}`);
    await page.getByRole('heading', { name: 'Not found' }).waitFor();
    watch.check();
}
