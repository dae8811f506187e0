// Dead letters: by reason, several at once begun again or dropped; and events that reached nobody.

import { ask, assert, given, open, settled, until } from './lib.mjs';

export default async function flow() {
    const { page, watch } = await open({ token: given.token, path: '#/dead' });
    await settled(page);
    assert.deepEqual(
        (await page.locator('.reason h2').allTextContents()).map((text) => text.trim()),
        ['Rejected (4 here)', 'Gone (1 here)'],
    );
    const replay = page.getByRole('button', { name: 'Replay' });
    assert.ok(await replay.isDisabled());
    await page.getByLabel('Choose all 4').check();
    await page.getByText('4 deliveries chosen').waitFor();
    const ticks = page.getByRole('checkbox', { name: /^Choose Finding new/ });
    await ticks.first().uncheck();
    await ticks.nth(1).uncheck();
    await page.getByText('2 deliveries chosen').waitFor();

    // Those that cannot begin again say why, each of them.
    const answers = ['disabled', 'disabled', 'deleted'].map((result) => ({ result }));
    await page.route('**/deliveries/replay', (route) => route.fulfill({ json: { replayed: 0, deliveries: answers } }), { times: 1 });
    await replay.click();
    await page.getByRole('dialog').getByRole('button', { name: 'Replay' }).click();
    await page
        .getByText(
            '2 not: Its integration is disabled: enable it first. 1 not: Its integration was deleted, so it cannot be sent any more.',
        )
        .waitFor();
    await page.getByText('None chosen').waitFor();
    await ticks.nth(2).check();
    await ticks.nth(3).check();

    await page.getByText('2 deliveries chosen').waitFor();
    await ask('accept');
    await replay.click();
    await page.getByRole('dialog').getByRole('button', { name: 'Replay' }).click();
    await page.getByText('2 deliveries replayed.').waitFor();
    await until(async () => (await ask('states')).delivered === 2, 'the two were not delivered');
    await page.getByText('Rejected (2 here)').waitFor();

    // An empty page is not the end of the list.
    const nothing = { json: [], headers: { Link: '</deliveries?state=dead&after=x>; rel="next"' } };
    await page.route(/reason=too_old/, (route) => route.fulfill(nothing), { times: 1 });
    await page.getByLabel('Reason').selectOption('too_old');
    await page.getByText('None on this page; there may be older ones.').waitFor();
    assert.ok(await page.getByRole('button', { name: 'Older' }).isEnabled());

    await page.getByLabel('Reason').selectOption('gone');
    await until(
        async () => (await page.locator('.reason').count()) === 1 && (await page.getByText('Gone (1 here)').count()) === 1,
        'not by reason',
    );
    await page.getByLabel('Choose all 1').check();
    await page.getByRole('button', { name: 'Drop' }).click();
    await page.getByRole('dialog').getByText('They are given up for good').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Drop' }).click();
    await page.getByText('1 delivery dropped.').waitFor();
    await page.getByText('No delivery died of that.').waitFor();
    assert.equal((await ask('states')).dropped, 1);

    // What reached nobody.
    await page.getByRole('link', { name: 'Events that reached no integration' }).click();
    await page.getByText('Finding of other scan (1 here)').waitFor();
    await page.getByText('the finding exists but belongs to another scan').waitFor();
    await page.getByText(`finding ${given.stray}`).waitFor();
    await page.getByLabel('Event', { exact: false }).first().selectOption('scan_failed');
    await page.getByText('Nothing matches').waitFor();
    await page.getByText('No event of this type died.').waitFor();
    await page.route(/event_type=scan_done/, (route) => route.fulfill(nothing), { times: 1 });
    await page.getByLabel('Event', { exact: false }).first().selectOption('scan_done');
    await page.getByText('None on this page; there may be older ones.').waitFor();
    watch.check();
}
