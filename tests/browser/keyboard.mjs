// A whole flow without a mouse: sign in, skip to the page, connect a webhook, test it, save it, disable it, sign out.

import { ask, assert, given, open, settled, until } from './lib.mjs';

/** Presses Tab until what has the focus is called NAME. */
async function tabTo(page, name, key = 'Tab') {
    for (let i = 0; i < 120; i += 1) {
        await page.keyboard.press(key);
        const at = await page.evaluate(() => {
            const node = document.activeElement;
            const label = node.getAttribute('aria-label') ?? node.labels?.[0]?.textContent ?? node.textContent;
            const box = node.getBoundingClientRect();
            return { label: label.trim(), seen: getComputedStyle(node).outlineStyle !== 'none' && box.width > 0 };
        });
        if (at.label.startsWith(name)) {
            assert.ok(at.seen, `${name} does not show that it has the focus`);
            return;
        }
    }
    throw new Error(`Tab does not lead to ${name}`);
}

export default async function flow() {
    const { page, watch } = await open();
    const { keyboard } = page;
    await page.getByLabel('API token').waitFor();
    await keyboard.type(given.token);
    await keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await settled(page);
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1');
    await tabTo(page, 'Connect');
    await keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Connect a destination' }).waitFor();
    await settled(page);
    await tabTo(page, 'Signed webhook');
    await keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Connect Signed webhook' }).waitFor();
    await settled(page);
    await tabTo(page, 'Name');
    await keyboard.type('by hand');
    await tabTo(page, 'webhook_url');
    await keyboard.type(given.hook);
    // What is skipped to is the page as it is.
    await tabTo(page, 'Skip to the page', 'Shift+Tab');
    await keyboard.press('Enter');
    await until(async () => (await page.evaluate(() => document.activeElement.id)) === 'main', 'it does not lead to the page');
    await page.getByRole('heading', { name: 'Connect Signed webhook' }).waitFor();
    assert.equal(await page.getByLabel('Name').first().inputValue(), 'by hand');
    await tabTo(page, 'High');
    await keyboard.press('ArrowUp');
    await page.getByText('Routes critical only.').waitFor();
    await tabTo(page, 'Send a test');
    await keyboard.press('Enter');
    await page.getByText('✓ The test was taken').waitFor();
    await tabTo(page, 'Connect', 'Shift+Tab');
    await keyboard.press('Enter');
    await page.getByRole('heading', { name: 'by hand' }).waitFor();
    await settled(page);
    await tabTo(page, 'Disable');
    await keyboard.press('Space');
    await page.getByRole('dialog').waitFor();
    // The dialog keeps the focus, and gives it back.
    for (let i = 0; i < 6; i += 1) {
        await keyboard.press('Tab');
        assert.ok(await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest('dialog')));
    }
    await keyboard.press('Escape');
    await until(async () => (await page.evaluate(() => document.activeElement.textContent)) === 'Disable', 'the focus is lost');
    assert.equal((await ask('row')).severity_filter, 'critical');
    // The button that was pressed keeps it, whatever it is called now.
    await keyboard.press('Space');
    await page.getByRole('dialog').waitFor();
    await tabTo(page, 'Disable');
    await keyboard.press('Enter');
    await page.getByRole('button', { name: 'Enable' }).waitFor();
    await until(async () => (await page.evaluate(() => document.activeElement.textContent)) === 'Enable', 'the focus is lost');
    assert.equal((await ask('row')).enabled, false);
    await tabTo(page, 'Skip to the page', 'Shift+Tab');
    await keyboard.press('Enter');
    assert.ok(await page.getByRole('heading', { name: 'by hand' }).isVisible());
    await tabTo(page, 'Sign out', 'Shift+Tab');
    await keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    watch.check();
}
