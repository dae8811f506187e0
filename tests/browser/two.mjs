// Two change one integration: nothing of the other's is overwritten unseen, whatever is pressed.

import { ask, assert, given, open, settled, until } from './lib.mjs';

export default async function flow() {
    const { page, watch } = await open({ token: given.token, path: `#/integrations/${given.integration}`, expected: [412] });
    await settled(page);
    const id = given.integration;
    const row = () => ask('row', { id });
    const name = page.getByLabel('Name').first();
    const dialog = page.getByRole('dialog');
    const press = (label) => page.getByRole('button', { name: label, exact: true }).click();
    const focused = () => page.evaluate(() => document.activeElement.textContent);
    const bodies = () => watch.requests.filter((one) => one.method() === 'PATCH').map((one) => JSON.parse(one.postData()));
    const verbs = () => watch.requests.filter((one) => ['PATCH', 'DELETE'].includes(one.method()));

    // They narrow it; I disable what I saw, which is told and asked again, and then only rename: what they did stays.
    await ask('change', { id, severity_filter: 'critical', events: ['finding_new'] });
    await press('Disable');
    await dialog.getByText('high and critical').waitFor();
    await dialog.getByRole('button', { name: 'Disable' }).click();
    await dialog.getByRole('heading', { name: 'Somebody changed it meanwhile' }).waitFor();
    await dialog.getByText('Changed by them: severity: critical').waitFor();
    await dialog.getByText('Changed by them: events: Finding new').waitFor();
    await dialog.getByText('1 event type · critical only').waitFor();
    assert.equal((await row()).enabled, true);
    await dialog.getByRole('button', { name: 'Disable' }).click();
    await page.getByRole('button', { name: 'Enable', exact: true }).waitFor();
    await until(async () => (await focused()) === 'Enable', 'the focus is not on the button that was pressed');
    await name.fill('#mine');
    await press('Save changes');
    await page.getByRole('heading', { name: 'Somebody changed it meanwhile' }).waitFor();
    await page.getByText('severity: critical').waitFor();
    assert.equal((await row()).name, '#security');
    await press('Save mine');
    await page.getByRole('heading', { name: '#mine', exact: true }).waitFor();
    assert.deepEqual(bodies().at(-1), { name: '#mine' });
    const { name: named, severity_filter: severity, events, enabled } = await row();
    assert.deepEqual([named, severity, events, enabled], ['#mine', 'critical', ['finding_new'], false]);
    assert.equal(await focused(), 'Save changes');

    // The form shows what is stored now, so the next save is of the name alone.
    await page.getByText('Routes critical only.').waitFor();
    await page.getByText('Fires for finding new only.').waitFor();
    await name.fill('#mine again');
    await press('Save changes');
    await page.getByRole('heading', { name: '#mine again', exact: true }).waitFor();
    assert.deepEqual(bodies().at(-1), { name: '#mine again' });
    assert.equal((await row()).severity_filter, 'critical');

    // Theirs is taken as a whole.
    await ask('change', { id, severity_filter: 'low', events: null });
    await name.fill('#dropped');
    await press('Save changes');
    await press('Take theirs');
    await page.getByText('Routes low, medium, high and critical.').waitFor();
    assert.deepEqual([await name.inputValue(), await focused()], ['#mine again', 'Save changes']);

    // Enabling is asked about only when it is another one than was seen.
    await ask('change', { id, severity_filter: 'info' });
    await press('Enable');
    await dialog.getByText('Changed by them: severity: info').waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.equal((await row()).enabled, false);
    await press('Enable');
    await page.getByRole('button', { name: 'Disable', exact: true }).waitFor();
    assert.equal(await focused(), 'Disable');
    await ask('change', { id, enabled: false });
    await press('Disable');
    await dialog.getByRole('button', { name: 'Disable' }).click();
    await page.getByText('Somebody has done that already.').waitFor();

    // What is deleted is what was seen.
    await ask('change', { id, name: '#theirs' });
    await press('Delete');
    await dialog.getByRole('heading', { name: 'Delete #mine again?' }).waitFor();
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await dialog.getByText('Changed by them: name: #theirs').waitFor();
    assert.equal((await row()).name, '#theirs');
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    assert.equal(await row(), null);
    for (const one of verbs()) assert.ok(await one.headerValue('If-Match'), `${one.method()} without If-Match`);
    watch.check();
}
