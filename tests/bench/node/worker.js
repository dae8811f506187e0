'use strict';
/* One process of the contender: up to BENCH_PREFETCH events at once, each acknowledged when all its receivers have answered. */

const { setTimeout: sleep } = require('node:timers/promises');

const amqp = require('amqplib');

const { Database } = require('./database');
const { Integrations } = require('./integrations');
const { post } = require('./post');
const { buildBody, buildHeaders } = require('./webhook');

const queue = process.env.BENCH_QUEUE ?? 'notify';
const prefetch = Number(process.env.BENCH_PREFETCH ?? 256);
const ACK_EVERY = 5; // milliseconds
const task = 'pencheff_api.tasks.integration_notify_task.notify_event';

/* Celery's protocol 2: the task's name and id are headers, its arguments the body. */
function decode(message) {
    const { headers } = message.properties;
    if (headers.task !== task) throw new Error(`unknown task ${headers.task}`);
    const [[scanId, type], kwargs] = JSON.parse(message.content);
    return {
        id: headers.id,
        scanId,
        type,
        findingId: type.startsWith('finding_') ? kwargs.finding_id : null,
        changeSummary: kwargs.change_summary ?? null,
        error: kwargs.error ?? null,
    };
}

/* What went wrong, or nothing. */
function deliver(event, body, integration) {
    try {
        const settings = integration.settings();
        return post(settings, buildHeaders(settings, event.id, integration.id, body), body);
    } catch (error) {
        return error;
    }
}

/* Returns when every receiver has answered; what goes wrong is only told. */
async function handle(message, database, integrations) {
    const complain = (error) => error && console.error(`${message.properties.headers.id}: ${error.message}`);
    try {
        const event = decode(message);
        const facts = await database.lookUp(event.scanId, event.findingId);
        if (facts === null) throw new Error('its scan, target or finding is not in the database');
        const known = integrations.known(facts.workspaceId) ?? (await integrations.read(facts.workspaceId));
        const passing = known.filter((one) => one.passes(event.type, facts));
        if (passing.length === 0) return;
        const body = buildBody(event, facts);
        const failures = await Promise.all(passing.map((one) => deliver(event, body, one)));
        failures.forEach(complain);
    } catch (error) {
        complain(error);
    }
}

/*
 * Acknowledges what is done, in order and many at once: a write for each took a seventh of the processor. When one that is
 * not done holds up half of the prefetch, those behind it go alone.
 */
class Acknowledger {
    constructor(channel) {
        this.channel = channel;
        this.next = 1; // the first delivery tag that is not acknowledged
        this.done = new Set();
        this.gone = new Set(); // acknowledged alone
        this.timer = null;
    }

    add(message) {
        this.done.add(message.fields.deliveryTag);
        this.timer ??= setTimeout(() => this.flush(), ACK_EVERY);
    }

    ack(deliveryTag, allUpTo) {
        this.channel.ack({ fields: { deliveryTag } }, allUpTo);
    }

    flush() {
        let last = 0;
        for (; this.done.has(this.next) || this.gone.has(this.next); this.next++) {
            if (this.done.delete(this.next)) last = this.next;
            else this.gone.delete(this.next);
        }
        if (last > 0) this.ack(last, true);
        if (this.done.size >= prefetch / 2) {
            for (const tag of this.done) {
                this.ack(tag, false);
                this.gone.add(tag);
            }
            this.done.clear();
        }
        this.timer = null;
    }
}

async function main() {
    const database = new Database(process.env.DATABASE_URL);
    await database.connect();
    const integrations = new Integrations(database, process.env.FERNET_KEY.split(','));
    const connection = await amqp.connect(process.env.AMQP_URL, { noDelay: true });
    const channel = await connection.createChannel();
    const acknowledger = new Acknowledger(channel);
    let held = 0;
    await channel.prefetch(prefetch);
    await channel.assertQueue(queue, { durable: true });
    const { consumerTag } = await channel.consume(queue, async (message) => {
        held++;
        await handle(message, database, integrations);
        acknowledger.add(message);
        held--;
    });
    process.send('ready');
    process.once('SIGTERM', async () => {
        await channel.cancel(consumerTag);
        while (held > 0) await sleep(5);
        acknowledger.flush();
        await connection.close();
        process.exit(0);
    });
    process.once('disconnect', () => process.exit(1)); // the starter is gone
}

main();
