/*
 * dialog - a question that has to be answered before anything else
 */
import { h, newId } from './dom.js';

/** Asks before something ends. Resolves to whether it was agreed to; Escape is a no, and so is leaving its page. */
export function confirm({ heading, text, points = [], yes, no = 'Cancel', danger = false }) {
    const id = newId('dialog');
    return new Promise((resolve) => {
        const dialog = h(
            'dialog',
            { 'aria-labelledby': id, onclose: () => (dialog.remove(), resolve(dialog.returnValue === 'yes')) },
            h('h2', { id }, heading),
            h(
                'div',
                { class: 'stack-small' },
                h('p', null, text),
                points.length > 0 &&
                    h(
                        'ul',
                        { class: 'bulleted' },
                        points.map((one) => h('li', null, one)),
                    ),
            ),
            h(
                'div',
                { class: 'actions' },
                h('button', { type: 'button', onclick: () => dialog.close('no') }, no),
                h('button', { type: 'button', class: danger ? 'main danger' : 'main', onclick: () => dialog.close('yes') }, yes),
            ),
        );
        document.body.append(dialog);
        dialog.showModal();
    });
}

/** What was asked on a page that is left is a no. */
export function closeDialogs() {
    for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close('no');
}
