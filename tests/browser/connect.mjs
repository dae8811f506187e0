// From the catalogue to a saved integration: search, form, checks, preview, test, save.

import { ask, assert, given, open, settled, until } from './lib.mjs';

export default async function flow() {
    const { page, watch } = await open({ token: given.token });
    watch.expected.add(422);
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Connect' }).click();
    await settled(page);
    assert.equal(await page.locator('.kind').count(), 10);
    await page.getByLabel('Search destinations').fill('on-call');
    assert.deepEqual(await page.locator('.kind h2').allTextContents(), ['PagerDuty', 'Opsgenie']);
    await page.getByLabel('Search destinations').fill('carrier pigeon');
    await page.getByText('There is no such destination.').waitFor();
    await page.getByLabel('Search destinations').fill('hmac');
    await page.getByRole('link', { name: /Signed webhook/ }).click();
    await settled(page);

    // What is wrong is said as one types, and what is missing when one tries.
    const url = page.getByLabel('webhook_url', { exact: false }).first();
    await url.fill('nonsense');
    await page.getByText('This does not look right: a URL that begins with https://').waitFor();
    assert.equal(await url.getAttribute('aria-invalid'), 'true');
    await page.getByRole('button', { name: 'Send a test' }).click();
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-invalid')), 'true');
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByText('A name is needed.').waitFor();
    assert.equal(await url.getAttribute('type'), 'password');
    await page.getByRole('button', { name: 'Show webhook_url' }).click();
    assert.equal(await url.getAttribute('type'), 'text');

    // The server knows more than a pattern does, and its words stand at the field.
    await page.getByLabel('Name').first().fill('SOAR intake');
    await url.fill('https://user:pass@receiver.example/x');
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await until(
        async () =>
            (await page.locator('.field', { has: url }).locator('.wrong').textContent()).length > 0 && page.locator('.error').count(),
        'the server did not say what is wrong',
    );
    assert.equal(await ask('count'), 0);

    // The preview goes with the event and the settings, and shows no secret.
    await url.fill(given.hook);
    await page.getByText('More settings').click();
    await page.getByLabel('hmac_secret').first().fill('browser-secret');
    await page.getByRole('button', { name: 'Add to headers' }).click();
    await page.getByLabel('Name').nth(1).fill('X-Team');
    await page.getByLabel('Value').fill('red');
    const panel = page.locator('section', { has: page.getByRole('heading', { name: 'What would be sent' }) });
    for (const [name, word] of [
        ['Scan started', 'scan_started'],
        ['Scan done', 'scan_done'],
        ['Scan failed', 'scan_failed'],
        ['Finding changed', 'finding_changed'],
        ['Finding new', 'finding_new'],
    ]) {
        await panel.getByRole('button', { name }).click();
        await until(async () => (await panel.locator('pre').last().textContent()).includes(`"event": "${word}"`), `no preview of ${word}`);
    }
    await panel.getByLabel('Severity of the sample').selectOption('critical');
    await until(
        async () => (await panel.locator('pre').last().textContent()).includes('"severity": "critical"'),
        'no preview of a critical one',
    );
    await until(async () => (await panel.textContent()).includes('X-Team'), 'the preview does not go with the settings');
    assert.ok(!(await panel.textContent()).includes('browser-secret'));

    // A test before anything is saved.
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByText('✓ The test was taken').waitFor();
    await page.getByText('Status 200').waitFor();
    assert.equal(await ask('arrived'), 1);
    assert.equal(await ask('count'), 0);

    // What fires is said in words.
    await page.getByText('Fires for every target, also for those that are added later.').waitFor();
    await page.getByText('Fires for every event.', { exact: true }).waitFor();
    await page.getByText('Routes high and critical.').waitFor();
    await page
        .getByRole('checkbox', { name: /shop\.example\.com/ })
        .first()
        .check();
    await page.getByText('Fires for 1 target only: shop.example.com.').waitFor();
    await page.getByRole('checkbox', { name: /Finding new/ }).check();
    await page.getByRole('checkbox', { name: /Scan failed/ }).check();
    await page.getByText('Fires for scan failed and finding new only.').waitFor();
    for (const [name, text] of [
        ['Critical', 'Routes critical only.'],
        ['Low', 'Routes low, medium, high and critical.'],
        ['Info', 'Routes every severity: info, low, medium, high and critical.'],
        ['Medium', 'Routes medium, high and critical.'],
    ]) {
        await page.getByRole('radio', { name }).check();
        await page.getByText(text).waitFor();
    }
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
    await page.getByRole('heading', { name: 'SOAR intake' }).waitFor();
    await settled(page);
    assert.deepEqual(await ask('row'), {
        kind: 'webhook',
        name: 'SOAR intake',
        severity_filter: 'medium',
        enabled: true,
        target_ids: [given.target],
        events: ['scan_failed', 'finding_new'],
        config: { webhook_url: given.hook, hmac_secret: 'browser-secret', headers: { 'X-Team': 'red' } },
    });
    await page.getByRole('link', { name: '← Overview' }).click();
    await page.getByRole('link', { name: 'SOAR intake' }).waitFor();
    assert.ok(!(await page.content()).includes('browser-secret'));
    watch.check();
}
