// What was typed is not lost without a question, and no question outlives its page.

import { ask, assert, given, open, settled } from './lib.mjs';

export default async function flow() {
    const { page, watch } = await open({ token: given.token, path: '#/connect/webhook' });
    await settled(page);
    const dialog = page.getByRole('dialog');
    const name = page.getByLabel('Name').first();
    const link = (label) => page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: label });
    const answer = async (label) => {
        await dialog.getByRole('button', { name: label, exact: true }).click();
        await dialog.waitFor({ state: 'detached' });
    };

    // A form that nobody touched is left without a word.
    await link('Deliveries').click();
    await page.getByRole('heading', { name: 'Deliveries' }).waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'Connect Signed webhook' }).waitFor();
    await settled(page);

    await name.fill('half done');
    await link('Deliveries').click();
    await dialog.getByRole('heading', { name: 'Leave without saving?' }).waitFor();
    await answer('Stay');
    await page.waitForURL(/#\/connect\/webhook$/);
    assert.equal(await name.inputValue(), 'half done');
    await page.goBack(); // to the address that was not gone to
    await dialog.waitFor();
    await page.goForward();
    await dialog.waitFor({ state: 'detached' });
    assert.equal(await name.inputValue(), 'half done');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await answer('Stay');
    assert.equal(await name.inputValue(), 'half done');
    const asked = page.waitForEvent('dialog');
    const reload = page.reload().catch(() => {}); // which is refused
    const question = await asked;
    assert.equal(question.type(), 'beforeunload');
    await question.dismiss();
    await reload;
    assert.equal(await name.inputValue(), 'half done');
    await link('Deliveries').click();
    await answer('Leave');
    await page.getByRole('heading', { name: 'Deliveries' }).waitFor();

    // Enter saves, and what is saved is left without a question.
    await page.goto(`${given.url}/#/connect/webhook`);
    await page.getByRole('heading', { name: 'Connect Signed webhook' }).waitFor();
    await settled(page);
    await page.getByLabel('webhook_url').first().fill(given.hook);
    await name.fill('by Enter');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'by Enter' }).waitFor();
    await settled(page);
    assert.equal(await ask('count'), 1);
    await name.fill('renamed by Enter');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'renamed by Enter' }).waitFor();
    await page.getByLabel('Replace the settings, all of them').check();
    await page.getByLabel('webhook_url').first().fill(given.hook);
    await link('Deliveries').click();
    await answer('Stay');
    assert.equal(await page.getByLabel('webhook_url').first().inputValue(), given.hook);
    await page.getByLabel('Replace the settings, all of them').uncheck();

    // The way back ends a question, which is then a no.
    await link('Deliveries').click();
    await page.getByRole('heading', { name: 'Deliveries' }).waitFor();
    await page.goBack();
    await page.getByRole('heading', { name: 'renamed by Enter' }).waitFor();
    await settled(page);
    await page.getByRole('button', { name: 'Delete' }).click();
    await dialog.getByRole('heading', { name: 'Delete renamed by Enter?' }).waitFor();
    await page.goForward();
    await page.getByRole('heading', { name: 'Deliveries' }).waitFor();
    assert.equal(await dialog.count(), 0);
    assert.equal(await ask('count'), 1);

    // A token that ends under a form takes nothing with it, when the next one is of the same workspace.
    await page.goto(`${given.url}/#/connect/webhook`);
    await page.getByRole('heading', { name: 'Connect Signed webhook' }).waitFor();
    await settled(page);
    await name.fill('over two tokens');
    await page.getByLabel('webhook_url').first().fill(given.hook);
    watch.expected.add(401);
    await ask('revoke');
    for (let status = 0; status !== 401;) {
        const answer = page.waitForResponse('**/integrations/preview');
        await page.getByRole('button', { name: 'Scan done' }).click();
        status = (await answer).status();
    }
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.ok(!(await page.content()).includes(given.hook));
    await page.getByLabel('API token').fill(given.next);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Connect Signed webhook' }).waitFor();
    assert.equal(await name.inputValue(), 'over two tokens');
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByRole('heading', { name: 'over two tokens' }).waitFor();
    assert.equal(await ask('count'), 2);
    watch.check();
}
