// Every page and dialog, light and dark: no violation that axe finds; at 320 px nothing to scroll sideways; texts that mean harm
// stay texts.

import { assert, given, go, open, overhang, settled, violations } from './lib.mjs';

const WHERE = {
    overview: '#/',
    'overview that finds nothing': '#/?q=nothing-like-it',
    catalogue: '#/connect',
    jira: '#/connect/jira',
    webhook: '#/connect/webhook',
    integration: `#/integrations/${given.integration}`,
    deliveries: '#/deliveries',
    delivery: `#/deliveries/${given.event}/${given.integration}`,
    'dead letters': '#/dead',
    'dead events': '#/dead/events',
    'no page': '#/nothing',
    'none such': '#/integrations/00000000-0000-4000-8000-000000000000',
};

const HARMED = new Set(['overview', 'integration', 'deliveries', 'delivery', 'dead letters']);

async function look(page, name, faults) {
    faults.push(...(await violations(page)).map((text) => `${name}: ${text}`));
    const over = await overhang(page);
    if (over > 0) faults.push(`${name}: ${over} px too wide`);
}

/** What is wrong is found: a field without a label, and something that is too wide. */
async function provesItself(page) {
    await page.evaluate(() => {
        const node = document.createElement('input');
        node.id = 'wrong';
        node.setAttribute('size', '400');
        document.body.append(node);
        node.style.width = '5000px';
    });
    assert.ok(
        (await violations(page)).some((text) => text.startsWith('label ')),
        'axe finds nothing',
    );
    assert.ok((await overhang(page)) > 1000);
    await page.evaluate(() => document.getElementById('wrong').remove());
}

/** Opens what is closed, as far as it goes. */
async function unfold(page, name) {
    await page.evaluate(() => {
        for (const one of document.querySelectorAll('details')) one.open = true;
    });
    if (name === 'webhook') await page.getByRole('button', { name: 'Add to headers' }).click();
    if (name === 'jira') {
        await page.getByRole('button', { name: 'Connect', exact: true }).click();
        await page.locator('.wrong', { hasText: 'is needed' }).first().waitFor();
    }
    if (name === 'delivery') await page.getByRole('button', { name: 'Why?' }).click();
    if (name === 'integration') await page.getByLabel('Replace the settings, all of them').check();
    await page.waitForTimeout(400);
    await settled(page);
}

export default async function flow() {
    const faults = [];
    for (const scheme of given.schemes) {
        for (const width of given.widths) {
            const { page, watch } = await open({ axe: true, colorScheme: scheme, viewport: { width, height: 800 } });
            watch.expected.add(404);
            await page.getByRole('heading', { name: 'Sign in' }).waitFor();
            await look(page, `sign in, ${scheme}, ${width}`, faults);
            await provesItself(page);
            await page.getByLabel('API token').fill(given.token);
            await page.keyboard.press('Enter');
            await page.getByRole('button', { name: 'Sign out' }).waitFor();
            for (const [name, path] of Object.entries(WHERE)) {
                await go(page, path);
                await unfold(page, name);
                await look(page, `${name}, ${scheme}, ${width}`, faults);
                if (HARMED.has(name))
                    assert.ok((await page.locator('main').innerText()).includes(given.harm), `${name} does not show the text as it is`);
            }
            await go(page, WHERE.integration);
            for (const verb of ['Disable', 'Delete']) {
                await page.getByRole('button', { name: verb }).click();
                await page.getByRole('dialog').waitFor();
                await look(page, `${verb}, ${scheme}, ${width}`, faults);
                await page.keyboard.press('Escape');
            }
            assert.equal(await page.evaluate(() => window.harmed), undefined);
            watch.check();
            await page.context().close();
        }
    }
    assert.deepEqual(faults, []);
}
