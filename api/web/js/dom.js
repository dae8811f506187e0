/*
 * dom - nodes, made one by one
 *
 * Everything that is shown may have been written by somebody who means harm, so a text becomes a text node and nothing else:
 * no page of this dashboard has a way to turn one into markup.
 */

const SVG = 'http://www.w3.org/2000/svg';
const PROPERTIES = new Set(['value', 'checked', 'selected', 'disabled', 'indeterminate', 'hidden', 'open']);
let serial = 0;

function give(node, name, value) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else if (value === true) node.setAttribute(name, '');
    else node.setAttribute(name, value);
}

function fill(node, properties, children) {
    for (const [name, value] of Object.entries(properties ?? {}))
        if (value !== undefined && value !== null && value !== false) give(node, name, value);
    node.append(...nodes(children));
    return node;
}

/** Children as nodes and texts; null, undefined and false are left out, lists are taken apart. */
function nodes(children) {
    return children
        .flat(Infinity)
        .filter((one) => one !== null && one !== undefined && one !== false)
        .map((one) => (one instanceof Node ? one : String(one)));
}

/** An element of HTML: h('p', {class: 'soft', onclick: f}, 'text', node). */
export function h(name, properties, ...children) {
    return fill(document.createElement(name), properties, children);
}

/** An element of SVG. */
export function s(name, properties, ...children) {
    return fill(document.createElementNS(SVG, name), properties, children);
}

export function show(node, ...children) {
    node.replaceChildren(...nodes(children));
    return node;
}

/** Whether ONE, drawn anew, stands for what OTHER stood for: a link to the same place, a box of the same name, a button of the same words. */
function isSame(one, other) {
    if (one.tagName !== other.tagName || one.disabled) return false;
    if (one.tagName === 'A') return one.getAttribute('href') === other.getAttribute('href');
    if (one.tagName === 'INPUT') return one.dataset.name === other.dataset.name && one.type === other.type;
    return one.textContent === other.textContent;
}

/** As show; when the focus was in NODE it stays there: on what stands for the same, or else on NODE. */
export function redraw(node, ...children) {
    const had = document.activeElement;
    const inside = had !== node && node.contains(had);
    show(node, ...children);
    if (!inside || node.contains(document.activeElement)) return node;
    const same = had.isConnected ? had : [...node.querySelectorAll(had.tagName)].find((one) => isSame(one, had));
    if (!same) node.tabIndex = -1;
    (same ?? node).focus({ preventScroll: true });
    return node;
}

/** A word that no other element has as its id. */
export function newId(prefix) {
    serial += 1;
    return `${prefix}-${serial}`;
}

/** A text of somebody's, which cannot turn the letters beside it around. */
export function theirs(text, properties) {
    return h('bdi', properties, text);
}

/** Says TEXT to whoever listens to the page. */
export function announce(text) {
    document.getElementById('said').textContent = text;
}

/** A word in the corner that stays until it is put away, or for a while when nothing is wrong. */
export function notice(text, bad = false) {
    const node = h(
        'div',
        { class: bad ? 'notice bad' : 'notice', role: bad ? 'alert' : 'status' },
        h('span', null, text),
        h('button', { type: 'button', class: 'plain', 'aria-label': 'Put this away', onclick: () => node.remove() }, '✕'),
    );
    document.getElementById('notices').append(node);
    if (!bad) setTimeout(() => node.remove(), 8000);
}

/** A button that is busy while WORK runs, and cannot be pressed twice meanwhile. What WORK did not tell itself is told. */
export function button(text, work, properties) {
    const node = h('button', { type: 'button', ...properties }, text);
    node.addEventListener('click', async (event) => {
        if (node.getAttribute('aria-disabled') === 'true') return;
        node.setAttribute('aria-disabled', 'true');
        node.classList.add('busy');
        try {
            await work(event);
        } catch (fault) {
            if (fault.name === 'AbortError') return; // the page was left
            console.error(fault);
            notice(fault.message, true);
        } finally {
            node.removeAttribute('aria-disabled');
            node.classList.remove('busy');
        }
    });
    return node;
}

/** A function that calls WORK once it was not called itself for a moment; never any more when SIGNAL has ended. */
export function calm(work, milliseconds = 300, signal = null) {
    let timer = 0;
    signal?.addEventListener('abort', () => clearTimeout(timer));
    return (...values) => {
        clearTimeout(timer);
        if (!signal?.aborted) timer = setTimeout(work, milliseconds, ...values);
    };
}
