/*
 * live - whether what a page shows is as it is now, in a word beside its heading
 *
 * A page may have several parts that are read again by themselves. The word is of the worst of them: when one cannot be read it says
 * since when, and why; whoever listens is told that once, and once more when all of it works again.
 */
import { announce, h, show } from './dom.js';
import { clock } from './words.js';

export class Live {
    constructor() {
        this.node = h('span', { class: 'live off' });
        this.parts = [];
        this.wasBad = false;
    }

    /** What `every` tells how it went: good, bad (with the Problem), paused, and off: it is not read again, TEXT says why. */
    part() {
        const part = { state: '', text: '', since: Date.now() };
        const become = (state, text) => {
            Object.assign(part, { state, text });
            this.draw();
        };
        this.parts.push(part);
        return {
            good: () => {
                part.since = Date.now();
                become('good', 'Live');
            },
            bad: (problem) => become('bad', `Not live since ${clock(part.since)}: ${problem.message}`),
            paused: () => part.state === 'bad' || become('paused', 'Paused while you are in it'),
            off: (text = '') => become('off', text),
        };
    }

    draw() {
        const of = (state) => this.parts.find((one) => one.state === state);
        const shown = of('bad') ?? of('off') ?? of('paused') ?? of('good');
        const isBad = shown?.state === 'bad';
        this.node.className = shown?.state === 'good' ? 'live' : 'live off';
        this.node.hidden = !shown?.text;
        if (this.node.textContent !== (shown?.text ?? '')) show(this.node, shown?.text);
        if (isBad !== this.wasBad && (isBad || shown?.state === 'good')) {
            announce(isBad ? shown.text : 'Live again');
            this.wasBad = isBad;
        }
    }
}
