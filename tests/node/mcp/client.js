// Drives notify-mcp with the official client, as agents' programs do.
//
//     node client.js PROGRAM WORD...      the environment's NOTIFY_TOKEN is passed on
//
// Reads steps as lines of JSON and answers each with one: {"list": true} -> the tools; {"call": NAME, "arguments": {...}} -> the
// result, with the progress that was heard, where "progress" is true; {"call": ..., "cancel_after": N}: canceled once N progress
// notifications have come. What the client refuses, such as a result that is not of its schema, is {"error": words}.

'use strict';

const readline = require('node:readline');
const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js');

async function call(client, step) {
    const heard = [];
    const canceler = new AbortController();
    const options = { signal: canceler.signal, timeout: 60000 };
    if (step.progress || step.cancel_after) {
        options.onprogress = (one) => {
            heard.push(one);
            if (heard.length === step.cancel_after) canceler.abort('no longer wanted');
        };
    }
    try {
        const result = await client.callTool({ name: step.call, arguments: step.arguments }, undefined, options);
        return { result, heard };
    } catch (error) {
        return { error: `${error.name}: ${error.message}`, heard };
    }
}

async function main() {
    const [program, ...words] = process.argv.slice(2);
    const transport = new StdioClientTransport({
        command: program,
        args: words,
        env: { NOTIFY_TOKEN: process.env.NOTIFY_TOKEN },
        stderr: 'ignore',
    });
    const client = new Client({ name: 'tests', version: '1.0.0' });
    await client.connect(transport);
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const step = JSON.parse(line);
        const said = step.list ? await client.listTools() : await call(client, step);
        process.stdout.write(`${JSON.stringify(said)}\n`);
    }
    await client.close();
}

main().catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
});
