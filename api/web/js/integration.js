/*
 * integration - one that is there: how it fares, its form, what can be done with it
 */
import { announce, button, calm, h, notice, show, theirs } from './dom.js';
import { allKinds, ask, pathOf } from './ask.js';
import { chart } from './chart.js';
import { allTargets, filtersForm } from './filters.js';
import { confirm } from './frame.js';
import { asProblem, isLeft, load, problemCard } from './load.js';
import { mark } from './marks.js';
import { leftOf, nameField } from './connect_kind.js';
import { deliveryTable } from './delivery_rows.js';
import { mayWrite } from './session.js';
import { percent, trouble } from './overview.js';
import { settingsForm } from './settings.js';
import { previewPanel, testPanel } from './try_out.js';
import { badge, number, routed, scopeOf, time, title } from './words.js';

const same = (left, right) => JSON.stringify(left ?? null) === JSON.stringify(right ?? null);

function sorted(list) {
  return list ? [...list].sort() : null;
}

/** Members of NOW that differ from SEEN: only these are sent, so that nothing else is touched. */
function changes(seen, now) {
  const out = {};
  for (const [name, value] of Object.entries(now)) {
    const before = Array.isArray(seen[name]) ? sorted(seen[name]) : seen[name];
    if (!same(before, Array.isArray(value) ? sorted(value) : value)) out[name] = value;
  }
  return out;
}

function label(name) {
  return { target_ids: 'targets', severity_filter: 'severity', config: 'settings' }[name] ?? name;
}

function told(name, value) {
  if (name === 'config') return 'others';
  if (value === null) return 'all';
  return Array.isArray(value) ? value.map((one) => (name === 'events' ? title(one) : one)).join(', ') : String(value);
}

/** How it fares: the row of the overview that is its own. */
function fares(row) {
  const facts = [['State', badge(row.health.health)], ['Last delivery', time(row.last_delivered_at, 'none')], ['Success', percent(row.success_rate)], ['Delivered', number(row.delivered)],
    ['Failed attempts', number(row.failed)], ['Dead', number(row.dead)], ['Deferred', number(row.health.deferred)]];
  const why = trouble(row.health);
  return [h('h2', null, 'The last 24 hours'), chart(row.hours), why && h('p', { class: 'why' }, why), h('dl', { class: 'facts' }, facts.map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, value))))];
}

export default function integration(box, { words: [id], signal }) {
  const path = `/integrations/${encodeURIComponent(id)}`;
  const heading = h('h1', null, 'Integration');
  const head = h('div', { class: 'head' }, heading);
  const body = h('div');
  show(box, h('a', { class: 'back', href: '#/' }, '← Overview'), head, body);

  async function draw() {
    const [{ data, etag }, kinds, targets] = await Promise.all([ask('GET', path, { signal }), allKinds(signal), allTargets(signal)]);
    const kind = kinds.find((one) => one.kind === data.kind);
    drawHead(data, kind);
    document.title = `${data.name} · Pencheff notify`;
    return page(data, etag, kind, targets);
  }

  const again = () => load(body, draw, { signal, quiet: true });

  /** WORK, with what went wrong told in a notice. */
  const doing = (work) => async () => {
    try {
      await work();
    } catch (fault) {
      if (isLeft(fault, signal)) return;
      const problem = asProblem(fault);
      notice(problem.message + (problem.wait ? ` Try again in ${Math.ceil(problem.wait)} s.` : '') + (problem.requestId ? ` (request ${problem.requestId})` : ''), true);
    }
  };

  function drawHead(data, kind) {
    const stops = [`It fires for: ${scopeOf(data)} (${routed(data.severity_filter)}).`, 'What waits for another attempt or is deferred is canceled.', 'What was delivered stays in the ledger.'];
    const turn = doing(async () => {
      const ends = data.enabled;
      if (ends && !(await confirm({ heading: 'Disable this integration?', text: 'Until it is enabled again, events pass it by.', points: stops, yes: 'Disable' }))) return;
      await ask('PATCH', path, { body: { enabled: !ends }, signal });
      announce(ends ? 'Disabled' : 'Enabled');
      await again();
    });
    const remove = doing(async () => {
      if (!(await confirm({ heading: `Delete ${data.name}?`, text: 'Nothing is sent to it any more, and its settings are gone for good.', points: stops, yes: 'Delete', danger: true }))) return;
      await ask('DELETE', path, { signal });
      notice(`Deleted: ${data.name}.`);
      location.hash = '#/';
    });
    const copy = doing(async () => {
      const made = await ask('POST', `${path}/duplicate`, { body: {}, headers: { 'Idempotency-Key': `${id}-${Date.now()}` }, signal });
      notice(`Copied. ${made.data.name} is disabled until you enable it.`);
      location.hash = `#/integrations/${encodeURIComponent(made.data.id)}`;
    });
    show(heading, theirs(data.name));
    show(head, mark(data.kind), heading, h('span', { class: 'soft' }, kind?.title ?? data.kind), data.enabled ? h('span', { class: 'badge good' }, 'Enabled') : badge('disabled'),
      mayWrite() && h('div', { class: 'actions' }, button(data.enabled ? 'Disable' : 'Enable', turn), button('Duplicate', copy), button('Delete', remove, { class: 'danger' })));
  }

  function page(data, etag, kind, targets) {
    const recent = h('section', { class: 'card framed' });
    load(recent, async () => {
      const page = await ask('GET', `${path}/deliveries?limit=8`, { signal });
      return [h('div', { class: 'reason head' }, h('h2', null, 'Latest deliveries'), h('div', { class: 'actions' }, h('a', { href: `#/deliveries?integration_id=${encodeURIComponent(id)}` }, 'All of them'))),
        page.data.length ? deliveryTable(page.data, { where: false }) : h('p', { class: 'state soft' }, 'Nothing was sent to it yet.')];
    }, { signal });
    const health = h('section', { class: 'card stack-small' });
    load(health, async () => {
      const rows = (await ask('GET', pathOf('/overview', { limit: 500, kind: kind?.kind, q: data.name }), { signal })).data;
      const mine = rows.find((one) => one.integration.id === id);
      health.hidden = !mine;
      return mine ? fares(mine) : [];
    }, { signal, rows: 1 });
    const test = testPanel('Sends a test through it, also while it is disabled.', () => ask('POST', `${path}/test`, { signal }), signal);
    if (!mayWrite()) return h('div', { class: 'two' }, h('div', { class: 'stack' }, health, readOnly(data, targets), recent), h('div', { class: 'side stack' }, kind && previewPanel(data.kind, () => null, signal).node));
    return h('div', { class: 'two' }, h('div', { class: 'stack' }, health, editForm(data, etag, kind, targets), recent), h('div', { class: 'side stack' }, test, kind && previewPanel(data.kind, () => null, signal).node));
  }

  function readOnly(data, targets) {
    const names = new Map(targets.all.map((one) => [one.id, one.name]));
    return h('section', { class: 'card' }, h('h2', null, 'When it fires'), h('dl', { class: 'facts' },
      [['Targets', data.target_ids ? data.target_ids.map((one) => names.get(one) ?? one).join(', ') : 'every target'], ['Events', data.events ? data.events.map(title).join(', ') : 'every event'],
        ['Severity', routed(data.severity_filter)]].map(([name, text]) => h('div', null, h('dt', null, name), h('dd', null, theirs(text))))));
  }

  function editForm(data, etag, kind, targets) {
    let tag = etag;
    let seen = data;
    let settings = null;
    const said = h('div', { 'aria-live': 'polite' });
    const name = nameField(data.name, () => {});
    const filters = filtersForm(data, targets, () => {});
    const place = h('div');
    const replace = h('input', { type: 'checkbox', onchange: (event) => {
      settings = event.target.checked && kind ? settingsForm(kind, calm(() => {})) : null;
      show(place, settings?.node);
    } });

    async function send(body) {
      const answer = await ask('PATCH', path, { body, headers: { 'If-Match': tag }, signal });
      tag = answer.etag;
      seen = answer.data;
      return answer.data;
    }

    /** Somebody else changed it: what they did is shown, and nothing of it is lost without being asked. */
    async function onChanged(body) {
      const fresh = await ask('GET', path, { signal });
      const theirChanges = changes(seen, { name: fresh.data.name, enabled: fresh.data.enabled, severity_filter: fresh.data.severity_filter, events: fresh.data.events, target_ids: fresh.data.target_ids });
      const list = Object.entries(theirChanges).map(([field, value]) => h('li', null, `${label(field)}: `, theirs(told(field, value))));
      show(said, h('section', { class: 'card error', role: 'alert' }, h('h2', null, 'Somebody changed it meanwhile'),
        h('p', null, 'Nothing of yours was saved, and it is still in the form.'),
        list.length ? [h('p', null, 'Changed by them:'), h('ul', { class: 'bulleted' }, list)] : h('p', null, 'They changed its settings, or changed it and back.'),
        h('div', { class: 'actions' },
          button('Save mine', async () => { tag = fresh.etag; seen = { ...seen, ...theirChanges }; await attempt(body); }, { class: 'main' }),
          button('Take theirs', again))));
    }

    async function attempt(body) {
      try {
        const now = await send(body);
        notice('Saved.');
        drawHead(now, kind);
        show(said);
        if (body.config) {
          replace.checked = false;
          settings = null;
          show(place);
        }
      } catch (fault) {
        if (isLeft(fault, signal)) return;
        const problem = asProblem(fault);
        if (problem.status === 412) {
          await onChanged(body);
          return;
        }
        name.tell(problem.of('name'));
        const shown = [...(settings?.tell(problem) ?? []), ...filters.tell(problem), ...(problem.of('name') ? ['name'] : [])];
        show(said, problemCard(leftOf(problem, shown), problem.wait && h('span', { class: 'small soft' }, `Try again in ${Math.ceil(problem.wait)} s.`)));
      }
    }

    async function save() {
      filters.tell(null);
      if (!name.check()) return name.focus();
      if (settings && !settings.check()) return undefined;
      const body = { ...changes(seen, { name: name.value(), ...filters.value() }), ...(settings ? { config: settings.config() } : {}) };
      if (Object.keys(body).length === 0) {
        show(said, h('p', { class: 'soft', role: 'status' }, 'Nothing is different, so nothing was saved.'));
        return undefined;
      }
      return attempt(body);
    }

    const saver = button('Save changes', save, { class: 'main' });
    const submit = (event) => {
      event.preventDefault();
      saver.click();
    };
    return h('form', { class: 'stack', novalidate: true, onsubmit: submit },
      h('section', { class: 'card' }, h('h2', null, 'Where to'), name.node,
        h('div', { class: 'field' }, h('p', { class: 'help' }, 'Its settings are stored encrypted and never shown.'), kind && h('label', { class: 'option' }, replace, 'Replace the settings, all of them'), place)),
      h('section', { class: 'card' }, h('h2', null, 'When it fires'), filters.node),
      said, h('div', { class: 'foot' }, saver));
  }

  load(body, draw, { signal });
}
