// Signing in and out, what a token that may only read sees, and what becomes of a token that is revoked meanwhile.

import { ask, assert, given, go, open, settled, signIn, until } from './lib.mjs';

export default async function flow() {
    const { page, watch, context } = await open();
    watch.expected.add(401);
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('Put the token in first.').waitFor();
    await page.getByLabel('API token').fill('pnt_0000000000000000_wrong');
    await page.keyboard.press('Enter');
    await page.getByText('send Authorization: Bearer and a token that notifyctl token create made').waitFor();
    assert.match(await page.getByRole('alert').textContent(), /Request [0-9a-f-]{36}, status 401/);

    // The address is kept over the sign-in, and the token is nowhere but in the session of the tab.
    await signIn(page, given.read, '#/deliveries');
    await page.getByRole('heading', { name: 'Deliveries' }).waitFor();
    const kept = await page.evaluate(() => ({
        session: JSON.stringify(sessionStorage),
        local: JSON.stringify(localStorage),
        cookie: document.cookie,
        address: location.href,
    }));
    assert.ok(
        kept.session.includes(given.read) && ![kept.local, kept.cookie, kept.address].some((text) => text.includes('pnt_')),
        JSON.stringify(kept),
    );
    assert.ok(watch.requests.every((request) => !request.url().includes('pnt_')));
    const other = await context.newPage();
    await other.goto(given.url);
    await other.getByRole('heading', { name: 'Sign in' }).waitFor();
    await other.close();

    // Nothing that it cannot use.
    const verbs = /^(Connect|Send a test|Save|Disable|Enable|Delete|Duplicate|Replay|Drop)/;
    for (const path of [
        '#/',
        '#/connect/slack',
        `#/integrations/${given.integration}`,
        '#/deliveries',
        `#/deliveries/${given.event}/${given.integration}`,
        '#/dead',
    ]) {
        await go(page, path);
        assert.equal(await page.getByRole('button', { name: verbs }).count(), 0, path);
        assert.equal(await page.getByRole('link', { name: /^Connect/ }).count(), 0, path);
        assert.equal(await page.locator('main').getByRole('checkbox').count(), 0, path);
    }
    await page.getByText('may only read').waitFor();

    // Signed out in one tab is signed out in those that were opened from it.
    const [opened] = await Promise.all([context.waitForEvent('page'), page.evaluate(() => void window.open(location.href))]);
    await opened.getByRole('heading', { name: 'Dead letters' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await opened.getByRole('heading', { name: 'Sign in' }).waitFor();
    await opened.getByText('in another tab').waitFor();
    assert.equal(await opened.evaluate(() => sessionStorage.length), 0);
    await opened.close();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);

    // An address that names no page says so after a reload too; and nothing has to be fetched to be signed out.
    await signIn(page, given.token, '#/nowhere');
    await page.reload();
    await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
    await go(page, '#/deliveries');
    await page.route('**/sign_in.js', (route) => route.abort());
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.equal(await page.getByRole('heading', { name: 'Deliveries' }).count(), 0);
    await page.unrouteAll();

    // A browser that keeps nothing.
    const bare = await open();
    await bare.context.addInitScript(() => {
        for (const name of ['localStorage', 'sessionStorage'])
            Object.defineProperty(window, name, {
                get() {
                    throw new DOMException('nothing is kept', 'SecurityError');
                },
            });
    });
    await bare.page.goto('about:blank');
    await signIn(bare.page, given.read);
    await settled(bare.page);
    bare.watch.check();
    await bare.context.close();

    // A reload keeps the session; a revoked token ends it, and says so.
    await signIn(page, given.token);
    await page.reload();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await page.getByRole('main').getByRole('link', { name: 'Connect', exact: true }).waitFor();
    await settled(page);
    await ask('revoke');
    await until(async () => {
        await page.evaluate(() => {
            location.hash = location.hash === '#/connect/jira' ? '#/connect/teams' : '#/connect/jira';
        });
        await page.waitForTimeout(300);
        return page.getByRole('heading', { name: 'Sign in' }).isVisible();
    }, 'the session did not end');
    await page.getByText('You were signed out').waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
    watch.check();
}
