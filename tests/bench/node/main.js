'use strict';
/* Forks BENCH_WORKERS workers, says when all of them consume, and stops them on SIGTERM. */

const { fork } = require('node:child_process');
const path = require('node:path');

const count = Number(process.env.BENCH_WORKERS ?? 2);
const workers = [];
let ready = 0;
let asked = false;

function stop() {
    for (const worker of workers) worker.kill('SIGTERM');
}

function ended(code, signal) {
    if (asked) return;
    console.error(`node: a worker ended by itself: ${signal ?? code}`);
    process.exitCode = 1;
    asked = true;
    stop();
}

for (const name of ['SIGTERM', 'SIGINT'])
    process.on(name, () => {
        asked = true;
        stop();
    });
for (let i = 0; i < count; i++) {
    const worker = fork(path.join(__dirname, 'worker.js'), { stdio: ['ignore', 2, 2, 'ipc'] });
    worker.on('message', () => {
        ready++;
        if (ready === count) console.log('ready');
    });
    worker.on('exit', ended);
    workers.push(worker);
}
