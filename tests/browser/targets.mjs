// More targets than are shown: those that are chosen are, and what is not in the list is not called gone.

import { assert, given, open, settled } from './lib.mjs';

export default async function flow() {
    const { page, watch } = await open({ token: given.token, path: `#/integrations/${given.integration}` });
    await settled(page);
    const options = page.locator('fieldset', { has: page.getByText('Targets', { exact: true }) }).locator('.options');
    const ticked = () => options.locator('input:checked').count();
    await page.getByText('Fires for 5 targets only').waitFor();
    assert.equal(await ticked(), 5);
    assert.equal(await options.locator('input').count(), 200);
    await page.getByLabel('Search targets').fill('target');
    assert.equal(await ticked(), 5);

    // A list without an end, as far as the page reads.
    await page.route('**/targets?*', (route) =>
        route.fulfill({ headers: { Link: '</targets?limit=500&cursor=x>; rel="next"' }, contentType: 'application/json', body: '[]' }),
    );
    await page.reload();
    await settled(page);
    await page.getByText('A target that is not in this list').first().waitFor();
    await page.getByText('one that is not in this list').first().waitFor();
    assert.equal(await page.getByText('that is gone').count(), 0);
    watch.check();
}
