// A test is of the settings that one sees, and its result goes when they change, also one that comes late.

import { ask, assert, given, open, settled, until } from './lib.mjs';

const TAKEN = '✓ The test was taken';

export default async function flow() {
    const { page, watch } = await open({ token: given.token, path: `#/integrations/${given.integration}`, expected: [422] });
    await settled(page);
    const test = page.getByRole('button', { name: 'Send a test' });
    const replace = page.getByLabel('Replace the settings, all of them');
    const url = page.getByLabel('webhook_url').first();
    const arrived = async () => [await ask('arrived', { path: '/hook' }), await ask('arrived', { path: '/new' })];
    const last = () =>
        new URL(
            watch.requests
                .filter((one) => /\/test$/.test(one.url()))
                .at(-1)
                .url(),
        ).pathname;

    await test.click();
    await page.getByText(TAKEN).waitFor();
    assert.deepEqual(await arrived(), [1, 0]);
    await replace.check();
    await page.getByText('Sends a test with the new settings in the form. Nothing is saved.').waitFor();
    assert.equal(await page.getByText(TAKEN).count(), 0);
    await test.click();
    await page.getByText('webhook_url is needed.').waitFor();
    await url.fill(given.hook);
    await test.click();
    await page.getByText(TAKEN).waitFor();
    assert.deepEqual(await arrived(), [1, 1]);
    assert.equal(last(), '/integrations/test');
    await url.fill('https://user:pass@receiver.example/x');
    assert.equal(await page.getByText(TAKEN).count(), 0);
    await test.click();
    await page.getByText('webhook_url holds a name or a password').waitFor();
    await url.fill(given.hook);
    await replace.uncheck();
    await page.getByText('Sends a test through it, also while it is disabled.').waitFor();
    await test.click();
    await page.getByText(TAKEN).waitFor();
    assert.deepEqual(await arrived(), [2, 1]);

    // Another one: its result goes with the first letter, and none comes late.
    await page.goto(`${given.url}/#/connect/webhook`);
    await page.getByRole('heading', { name: 'Connect Signed webhook' }).waitFor();
    await settled(page);
    assert.equal(await url.getAttribute('autocomplete'), 'new-password');
    await url.fill(given.hook);
    await test.click();
    await page.getByText(TAKEN).waitFor();
    await page.getByText('More settings').click();
    await page.getByLabel('hmac_secret').first().fill('s');
    assert.equal(await page.getByText(TAKEN).count(), 0);
    await page.getByText('The settings were changed: test them again.').waitFor();
    let letGo;
    const held = new Promise((resolve) => {
        letGo = resolve;
    });
    await page.route('**/integrations/test', async (route) => {
        const response = await route.fetch();
        await held;
        await route.fulfill({ response });
    });
    await test.click();
    await until(async () => (await ask('arrived', { path: '/new' })) === 3, 'the test did not arrive');
    await page.getByLabel('hmac_secret').first().fill('sec');
    const answered = page.waitForResponse('**/integrations/test');
    letGo();
    await (await answered).finished();
    await page.locator('button:not(.busy)', { hasText: 'Send a test' }).waitFor();
    assert.equal(await page.getByText(TAKEN).count(), 0);
    await page.unroute('**/integrations/test');
    await test.click();
    await page.getByText(TAKEN).waitFor();
    watch.check();
}
