// The pictures of the README: the overview, light and dark. OTHERS: further pages to look at, by name.

import { given, go, open, settled } from './lib.mjs';

export default async function pictures() {
    for (const scheme of ['light', 'dark']) {
        const ending = scheme === 'dark' ? '-dark' : '';
        const { page, watch, context } = await open({
            token: given.token,
            colorScheme: scheme,
            viewport: { width: given.width ?? 1280, height: 900 },
        });
        await settled(page);
        await page.evaluate(() => document.activeElement.blur());
        await page.mouse.move(0, 0);
        await page.screenshot({ path: `${given.folder}/dashboard${ending}.png` });
        for (const [name, path] of Object.entries(given.others ?? {})) {
            await go(page, path);
            await page.waitForTimeout(500);
            await page.screenshot({ path: `${given.folder}/${name}${ending}.png`, fullPage: true });
        }
        watch.check();
        await context.close();
    }
}
