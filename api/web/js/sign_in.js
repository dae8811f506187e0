/*
 * sign_in - a token is asked for, and whether it is one
 */
import { announce, h, show } from './dom.js';
import { ask } from './ask.js';
import { asProblem, problemCard } from './load.js';
import { begin, whyEnded } from './session.js';

export default function signIn(main, signedIn) {
    const input = h('input', {
        type: 'password',
        id: 'token',
        name: 'token',
        autocomplete: 'one-time-code',
        spellcheck: 'false',
        required: true,
        'aria-describedby': 'token-help',
    });
    const said = h('div', { class: 'stack-small' });
    const send = h('button', { class: 'main', type: 'submit' }, 'Sign in');

    async function submit(event) {
        event.preventDefault();
        const text = input.value.trim();
        if (send.disabled) return;
        if (!text) {
            show(said, h('p', { class: 'why', role: 'alert' }, 'Put the token in first.'));
            input.focus();
            return;
        }
        send.disabled = true;
        try {
            if (!/^[\x21-\x7e]+$/.test(text)) throw Object.assign(new Error(), { odd: true });
            begin(text, (await ask('GET', '/token', { as: text })).data);
            announce('Signed in');
            signedIn();
        } catch (fault) {
            send.disabled = false;
            show(
                said,
                fault.odd
                    ? h('p', { class: 'why', role: 'alert' }, 'A token has no spaces in it, and none but plain letters.')
                    : problemCard(asProblem(fault)),
            );
            input.focus();
        }
    }

    const why = whyEnded();
    show(
        main,
        h(
            'div',
            { class: 'sign-in' },
            h(
                'form',
                { class: 'card stack', novalidate: true, onsubmit: submit },
                h('h1', null, 'Sign in'),
                why && h('p', { class: 'sentence', role: 'status' }, 'You were signed out: ', why),
                h(
                    'div',
                    { class: 'field' },
                    h('label', { for: 'token' }, 'API token'),
                    h(
                        'p',
                        { class: 'help', id: 'token-help' },
                        'It begins with pnt_. This tab keeps it, and tabs opened from it, until you close them or sign out in one of them; a browser that brings a closed tab back may bring the token back too.',
                    ),
                    input,
                ),
                said,
                send,
                h(
                    'details',
                    null,
                    h('summary', null, 'Where do I get one?'),
                    h(
                        'p',
                        { class: 'small' },
                        'From whoever runs the server. For looking, with the scope read; for connecting and changing, with write:',
                    ),
                    h('pre', null, 'notifyctl token create --workspace WORKSPACE --scope write --name YOU'),
                ),
            ),
        ),
    );
    input.focus();
}
