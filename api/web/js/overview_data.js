/*
 * overview_data - a page of integrations with how they fare
 */
import { ask, pathOf } from './ask.js';

export async function overviewPage(path, signal) {
  const [page, stats] = await Promise.all([ask('GET', path.replace('/overview', '/integrations').replace(/[?&](q|kind|health)=[^&]*/g, ''), { signal }), ask('GET', '/stats', { signal })]);
  const health = new Map(stats.data.integrations.map((one) => [one.integration_id, one]));
  const rows = page.data.map((integration) => {
    const fares = health.get(integration.id) ?? { health: 'unknown' };
    return { integration, health: fares, last_delivered_at: fares.last_success_at, delivered: null, failed: null, dead: null, success_rate: null, hours: null };
  });
  return { rows, next: page.next };
}

export function overviewPath(filters) {
  return pathOf('/overview', { limit: 48, ...filters });
}
