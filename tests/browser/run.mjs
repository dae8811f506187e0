// Runs one flow: node run.mjs FLOW. The first line of standard input is what the test gives it; see lib.mjs for the others.

import { end } from './lib.mjs';

try {
    await (await import(`./${process.argv[2]}.mjs`)).default();
} catch (fault) {
    console.error(fault);
    process.exitCode = 1;
} finally {
    await end();
}
process.exit();
