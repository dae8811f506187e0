/*
 * connect - the catalogue of kinds
 */
import { announce, h, show } from './dom.js';
import { allKinds } from './ask.js';
import { empty, load } from './load.js';
import { mark } from './marks.js';
import { plural } from './words.js';

const USES = {
    webhook: ['A signed HTTP request to anything of your own: a SOAR, a script, a queue.', 'custom http hmac soar endpoint'],
    slack: ['Messages in a Slack channel.', 'chat channel message'],
    teams: ['Cards in a Microsoft Teams channel.', 'chat channel microsoft workflow office'],
    google_chat: ['Cards in a Google Chat space.', 'chat space message workspace'],
    discord: ['Messages in a Discord channel.', 'chat channel community'],
    pagerduty: ['Calls whoever is on call, and ends the alert when the finding is closed.', 'paging alert incident on-call'],
    opsgenie: ['Alerts in Opsgenie or JSM Operations, closed with their findings.', 'paging alert on-call jsm atlassian'],
    github: ['An issue for each finding, closed and reopened with it.', 'ticket issue repository tracker'],
    jira: ['An issue for each finding, in Jira Cloud or Data Center.', 'ticket issue atlassian tracker'],
    splunk: ['Events for your SIEM, by the HTTP Event Collector.', 'siem log index hec'],
};

function tile(one) {
    return h(
        'li',
        null,
        h(
            'a',
            { class: 'card kind', href: `#/connect/${one.kind}` },
            mark(one.kind),
            h('div', null, h('h2', null, one.title), h('p', { class: 'soft small' }, USES[one.kind]?.[0] ?? '')),
        ),
    );
}

function fits(one, words) {
    const text = `${one.kind} ${one.title} ${(USES[one.kind] ?? []).join(' ')}`.toLowerCase();
    return words.every((word) => text.includes(word));
}

export default function connect(box, { signal }) {
    const list = h('div');
    show(box, h('div', { class: 'head' }, h('h1', null, 'Connect a destination')), list);
    load(
        list,
        async () => {
            const kinds = await allKinds(signal);
            const tiles = h('div');
            const search = (text) => {
                const found = kinds.filter((one) => fits(one, text.toLowerCase().split(/\s+/)));
                show(
                    tiles,
                    found.length
                        ? h('ul', { class: 'catalogue' }, found.map(tile))
                        : empty('Nothing matches', 'There is no such destination. A signed webhook reaches anything that speaks HTTP.'),
                );
                if (text) announce(plural(found.length, 'destination'));
            };
            search('');
            return [
                h(
                    'form',
                    { class: 'filters', role: 'search', onsubmit: (event) => event.preventDefault() },
                    h(
                        'label',
                        { class: 'wide' },
                        'Search destinations',
                        h('input', {
                            type: 'search',
                            placeholder: 'chat, ticket, on-call, SIEM …',
                            oninput: (event) => search(event.target.value.trim()),
                        }),
                    ),
                ),
                tiles,
            ];
        },
        { signal },
    );
}
