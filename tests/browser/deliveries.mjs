// The list is live, filtered, in pages; one delivery shows its story, is explained, and begins again.

import { ask, assert, given, go, open, settled, until } from './lib.mjs';

export default async function flow() {
    const { page, watch, context } = await open({ token: given.token, path: '#/deliveries', expected: [500] });
    await settled(page);
    await page.getByText('Nothing yet').waitFor();
    const rows = page.locator('main tbody tr');

    // What happens shows without a reload; not while nobody looks.
    await ask('publish', { event: 'scan_done' });
    await rows.first().waitFor();
    assert.equal(await rows.count(), 2);
    const asked = () => watch.requests.filter((request) => request.url().includes('/deliveries?')).length;
    const second = await context.newPage();
    await page.evaluate(() => {
        Object.defineProperty(document, 'hidden', { value: true, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
    });
    await page.waitForTimeout(5500);
    const quiet = asked();
    await page.waitForTimeout(6000);
    assert.equal(asked(), quiet, 'a page that is hidden asks');
    await page.evaluate(() => {
        delete document.hidden;
        document.dispatchEvent(new Event('visibilitychange'));
    });
    await until(() => asked() > quiet, 'a page that is seen again does not ask');
    await second.close();

    // Filters, in the address too.
    await ask('publish', { event: 'finding_new' });
    await go(page, '#/');
    await go(page, '#/deliveries?state=dead');
    assert.equal(await rows.count(), 2);
    await page.getByLabel('Reason').selectOption('rejected');
    await settled(page);
    assert.equal(await rows.count(), 2);
    assert.match(page.url(), /state=dead&reason=rejected/);
    await page.getByRole('combobox', { name: 'Event', exact: true }).selectOption('scan_failed');
    await page.getByText('Nothing matches').waitFor();
    await go(page, '#/deliveries');
    await page.getByLabel('What the id is of').selectOption('finding_id');
    await page.getByLabel('Id to look for').fill('no id');
    await until(
        async () => (await page.getByLabel('Id to look for').getAttribute('aria-invalid')) === 'true',
        'an id that is none is not told',
    );
    await page.getByLabel('Id to look for').fill(given.finding);
    await until(async () => (await rows.count()) === 2 && page.url().includes('finding_id'), 'not two of the finding');

    await page.getByLabel('Id to look for').fill('');
    // An integration is found by a part of its name, said in words, and chosen by whoever looks: also of two with one name.
    const field = page.getByLabel('Integration', { exact: true });
    await field.fill('no such thing');
    await page.getByText('No integration has such a name.').first().waitFor();
    const one = {
        integration: { id: '11111111-0000-4000-8000-000000000000', name: 'twice', kind: 'webhook', created_at: '2026-01-02T03:04:05Z' },
    };
    const other = { integration: { ...one.integration, kind: 'slack', id: '00000000-0000-4000-8000-000000000000' } };
    await page.route(/overview\?.*q=twice/, (route) => route.fulfill({ json: [one, other] }));
    await field.fill('twice');
    await page.getByRole('button', { name: 'twice · Slack' }).click();
    await until(() => page.url().includes(other.integration.id), 'one of two with the same name is not chosen');
    await page.getByRole('button', { name: 'No longer by integration' }).click();
    await page.route(/overview\?.*q=broken/, (route) => route.fulfill({ status: 500, json: { detail: 'no list' } }));
    await field.fill('broken');
    await page.getByRole('alert').getByText('no list').waitFor();
    await field.fill('refuses');
    await page.getByText('1 integration:').last().waitFor();
    assert.equal(await field.inputValue(), 'refuses', 'what is typed was taken away');
    await page.getByRole('button', { name: 'refuses it' }).click();
    assert.equal(await page.evaluate(() => document.activeElement.type), 'search');
    await page.getByRole('button', { name: 'No longer by integration' }).waitFor();
    await page.getByText('Integration refuses it').waitFor();
    await until(
        async () => (await rows.count()) === 2 && (await page.locator('tbody').getByText('takes it').count()) === 0,
        'not those of one integration',
    );
    await page.getByRole('button', { name: 'No longer by integration' }).click();
    await until(async () => (await rows.count()) === 4, 'not all again');
    await page.getByLabel('Id to look for').fill(given.finding);
    await until(async () => (await rows.count()) === 2, 'not two of the finding');

    // One of them: its story, why, and again.
    await page.locator('tr', { hasText: 'Dead' }).getByRole('link', { name: 'Finding new' }).click();
    await settled(page);
    await page.getByRole('heading', { name: 'Attempt 1' }).waitFor();
    await page.getByText('Rejected', { exact: true }).first().waitFor();
    await page.getByText('no such channel').first().waitFor();
    await page.getByRole('button', { name: 'Why?' }).click();
    await page.getByRole('heading', { name: 'Why', exact: true }).waitFor();
    await page.getByText('lets it pass').first().waitFor();
    await ask('accept');
    await page.getByRole('button', { name: 'Replay' }).click();
    await page.getByText('It begins again, with all its attempts.').waitFor();
    await page.getByRole('heading', { name: /^Delivered at attempt/ }).waitFor();
    await page.getByRole('heading', { name: 'An attempt before the replay' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Replay' }).count(), 0);

    // Pages.
    await ask('many');
    await go(page, '#/deliveries');
    await page.getByRole('button', { name: 'Older' }).click();
    await page.locator('.pager').getByText('Page 2').waitFor();
    await page.getByText('Older ones, as they were read').waitFor();
    await page.getByRole('button', { name: 'Newer' }).click();
    await page.locator('.pager').getByText('Page 1').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    watch.check();
}
