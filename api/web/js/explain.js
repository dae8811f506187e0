/*
 * explain - why an event reached an integration, or did not
 */
import { h, theirs } from './dom.js';
import { meaning, title } from './words.js';

function filter(one) {
    return h(
        'li',
        { class: one.passes ? 'yes' : 'no' },
        h('b', null, title(one.filter)),
        one.passes ? ' lets it pass: ' : ' holds it back: ',
        theirs(one.why),
    );
}

function forIntegration(one) {
    return h(
        'section',
        { class: 'stack-small' },
        h('h3', null, theirs(one.name ?? 'a deleted integration')),
        one.filters
            ? [h('p', { class: 'small soft' }, 'What its filters say now:'), h('ul', { class: 'stack-small' }, one.filters.map(filter))]
            : h('p', { class: 'soft' }, 'It is deleted, so its filters cannot be asked.'),
        one.delivery
            ? h('p', null, `It fired. Now it is ${one.delivery.state}: ${meaning('states', one.delivery.state)}.`)
            : h('p', null, one.fires ? 'It did not fire, but it would now.' : 'It did not fire.'),
    );
}

/** ANSWER: what GET /explain says, a list. */
export function explanation(answer) {
    return answer.map((one) =>
        h('div', { class: 'stack' }, h('p', { class: 'sentence' }, theirs(one.conclusion)), one.integrations.map(forIntegration)),
    );
}
