// How long until there is something to see, and until all is there, with an empty cache each time; and how large each page is.

import { given, open, report, settled } from './lib.mjs';

const PAGES = {
    overview: '#/',
    catalogue: '#/connect',
    form: '#/connect/jira',
    integration: `#/integrations/${given.integration}`,
    deliveries: '#/deliveries',
    dead: '#/dead',
};

async function bytesOf(path) {
    const { page, context } = await open({ token: given.token, path });
    const session = await context.newCDPSession(page);
    const sizes = new Map(); // what is read again later is no part of the page
    const urls = new Map();
    await session.send('Network.enable');
    await session.send('Network.setCacheDisabled', { cacheDisabled: true });
    session.on('Network.responseReceived', (event) => urls.set(event.requestId, event.response.url));
    session.on('Network.loadingFinished', (event) => sizes.set(urls.get(event.requestId), event.encodedDataLength));
    await page.reload();
    await settled(page);
    await page.waitForTimeout(2500);
    await context.close();
    return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

export default async function flow() {
    const first = [];
    const whole = [];
    for (let i = 0; i < given.loads; i += 1) {
        const { page, watch, context } = await open({ token: given.token });
        const session = await context.newCDPSession(page);
        await session.send('Network.setCacheDisabled', { cacheDisabled: true });
        await page.reload();
        await page.locator('.one').first().waitFor();
        await settled(page);
        const times = await page.evaluate(() => ({ paint: performance.getEntriesByName('first-contentful-paint')[0].startTime }));
        first.push(times.paint);
        whole.push(
            await page.evaluate(() =>
                performance
                    .getEntriesByType('resource')
                    .filter((one) => one.initiatorType === 'fetch')
                    .reduce((last, one) => Math.max(last, one.responseEnd), 0),
            ),
        );
        watch.check();
        await context.close();
    }
    const bytes = {};
    for (const [name, path] of Object.entries(PAGES)) bytes[name] = await bytesOf(path);
    report({ first, whole, bytes });
}
