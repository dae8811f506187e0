// A million deliveries: every list and every choice is there before one wonders.

import { assert, given, go, open, report, settled, until } from './lib.mjs';

export default async function flow() {
    const { page, watch } = await open({ token: given.token });
    const rows = page.locator('main tbody tr');
    const took = {};
    const step = async (name, work, seen) => {
        const begun = Date.now();
        await work();
        await seen();
        took[name] = Date.now() - begun;
        await settled(page);
    };
    const rowsAre = (count) => () => until(async () => (await rows.count()) === count, `there are not ${count} rows`);
    const pageIs = (number) => () => page.locator('.pager').getByText(`Page ${number},`).waitFor();

    await settled(page);
    await step(
        'overview',
        () => go(page, '#/'),
        () => page.locator('.one').nth(9).waitFor(),
    );
    await step('deliveries', () => go(page, '#/deliveries'), rowsAre(50));
    for (const number of [2, 3, 4]) await step(`page ${number}`, () => page.getByRole('button', { name: 'Older' }).click(), pageIs(number));
    await step('those that are dead', () => page.getByLabel('State').selectOption('dead'), pageIs(1));
    await until(async () => (await rows.getByText('Dead', { exact: true }).count()) === 50, 'not all are dead');
    await step('dead and rejected', () => page.getByLabel('Reason').selectOption('rejected'), rowsAre(50));
    await step('those of one scan', () => go(page, `#/deliveries?scan_id=${given.scan}`), rowsAre(50));
    await step('those of one integration', () => go(page, `#/deliveries?integration_id=${given.integration}`), rowsAre(50));
    await step(
        'one integration',
        () => go(page, `#/integrations/${given.integration}`),
        () => page.getByRole('heading', { name: 'hook 3' }).first().waitFor(),
    );
    await step('dead letters', () => go(page, '#/dead'), rowsAre(100));
    await step('dead letters, page 2', () => page.getByRole('button', { name: 'Older' }).click(), pageIs(2));
    await step(
        'one delivery',
        () => page.locator('main tbody a').first().click(),
        () => page.getByRole('button', { name: 'Why?' }).waitFor(),
    );
    await step(
        'why',
        () => page.getByRole('button', { name: 'Why?' }).click(),
        () => page.getByRole('heading', { name: 'Why', exact: true }).waitFor(),
    );
    report(took);
    assert.ok(Object.keys(took).length > 10);
    watch.check();
}
