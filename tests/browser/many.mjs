// Five thousand integrations and three thousand targets: pages, search, and a form that stays quick.

import { assert, given, go, open, report, settled, until } from './lib.mjs';

export default async function flow() {
    const { page, watch } = await open({ token: given.token });
    await settled(page);
    const cards = page.locator('.one');
    assert.equal(await cards.count(), 24);
    await page.getByRole('button', { name: 'Further' }).click();
    await page.locator('.pager').getByText('Page 2').waitFor();
    await page.getByRole('link', { name: 'number 0024', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Back' }).click();
    await page.locator('.pager').getByText('Page 1').waitFor();

    const begun = Date.now();
    await page.getByLabel('Search by name').fill('number 4321');
    await until(async () => (await cards.count()) === 1 && page.getByRole('link', { name: 'number 4321' }).isVisible(), 'it is not found');
    const searched = Date.now() - begun;
    await page.getByLabel('State').selectOption('failing');
    await page.getByText('Nothing matches').waitFor();

    await go(page, '#/connect/webhook');
    const targets = page.locator('fieldset', { hasText: 'Whose scans count' });
    assert.equal(await targets.getByRole('checkbox').count(), 200);
    await targets.getByText('and 2,801 others: search for them').waitFor();
    await targets.getByLabel('Search targets').fill('target 2999');
    await targets.getByRole('checkbox', { name: 'target 2999' }).check();
    await targets.getByLabel('Search targets').fill('target 0001');
    await targets.getByRole('checkbox', { name: 'target 0001' }).check();
    await targets.getByText('Fires for 2 targets only: target 2999 and target 0001.').waitFor();
    await targets.getByLabel('Search targets').fill('nothing like it');
    await targets.getByText('No target has such a name.').waitFor();
    await targets.getByRole('button', { name: 'Choose none: every target' }).click();
    await targets.getByText('Fires for every target').waitFor();
    report({ searched });
    watch.check();
}
