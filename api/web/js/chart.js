/*
 * chart - what was delivered and what failed, hour by hour, as a picture with words for those who do not see it
 */
import { s } from './dom.js';
import { plural } from './words.js';

const WIDTH = 240;
const HEIGHT = 40;
const PARTS = ['delivered', 'failed', 'dead'];

/** A delivery that was given up is a failed attempt too; each is drawn once. */
function parted(hour) {
    return { ...hour, failed: Math.max(0, hour.failed - hour.dead) };
}

function hourOf(at) {
    return `${String(new Date(at).getHours()).padStart(2, '0')}:00`;
}

function bar(hour, index, count, most) {
    const drawn = parted(hour);
    const step = WIDTH / count;
    let top = HEIGHT - 1;
    return s(
        'g',
        null,
        s('title', null, `${hourOf(hour.at)}: ${PARTS.map((part) => `${hour[part]} ${part}`).join(', ')}`),
        s('rect', { x: index * step, y: 0, width: step, height: HEIGHT, fill: 'transparent' }),
        PARTS.filter((part) => drawn[part] > 0).map((part) => {
            const height = Math.max(1.5, (drawn[part] / most) * (HEIGHT - 4));
            top -= height;
            return s('rect', { class: part, x: index * step + 1, y: Math.max(0, top), width: Math.max(1, step - 2), height });
        }),
    );
}

/** HOURS: oldest first, as GET /overview has them. */
export function chart(hours) {
    const sum = (part) => hours.reduce((all, hour) => all + hour[part], 0);
    const most = Math.max(1, ...hours.map(parted).map((hour) => PARTS.reduce((all, part) => all + hour[part], 0)));
    const label = `Last 24 hours: ${plural(sum('delivered'), 'delivery', 'deliveries')}, ${plural(sum('failed'), 'failed attempt')}, ${sum('dead')} dead`;
    return s(
        'svg',
        { class: 'chart', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
        s('line', { class: 'base', x1: 0, y1: HEIGHT - 0.5, x2: WIDTH, y2: HEIGHT - 0.5 }),
        hours.map((hour, index) => bar(hour, index, hours.length, most)),
    );
}
