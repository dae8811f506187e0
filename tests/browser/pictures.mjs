// The pictures of the README: the overview, light and dark.

import { given, open, settled } from './lib.mjs';

export default async function pictures() {
  for (const scheme of ['light', 'dark']) {
    const { page, watch } = await open({ token: given.token, colorScheme: scheme, viewport: { width: 1280, height: 860 } });
    await settled(page);
    await page.locator('.one').first().waitFor();
    await page.evaluate(() => document.activeElement.blur());
    await page.screenshot({ path: `${given.folder}/${scheme === 'light' ? 'dashboard' : 'dashboard-dark'}.png` });
    watch.check();
    for (const [name, path] of Object.entries(given.others ?? {})) {
      await page.evaluate((hash) => { location.hash = hash; }, path);
      await settled(page);
      await page.waitForTimeout(500);
      await page.screenshot({ path: `${given.folder}/${name}-${scheme}.png`, fullPage: true });
    }
    watch.check();
    await page.context().close();
  }
}
