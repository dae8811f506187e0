// Checks webhooks as their receivers do, with the libraries standardwebhooks and svix as they are published.
//
// Reads one JSON object per line, {"secret", "headers", "body"}, and answers each with one,
// {"standardwebhooks": "ok" or the error, "svix": the same}.

'use strict';

const readline = require('node:readline');
const standard = require('standardwebhooks');
const svix = require('svix');

function outcome(check) {
    try {
        check();
        return 'ok';
    } catch (error) {
        return `${error.name}: ${error.message}`;
    }
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
    const { secret, headers, body } = JSON.parse(line);
    // A secret without the prefix is its bytes; svix has no word for that but their base64.
    const raw = !secret.startsWith('whsec_');
    const spelled = raw ? Buffer.from(secret, 'utf8').toString('base64') : secret;
    console.log(
        JSON.stringify({
            standardwebhooks: outcome(() => new standard.Webhook(secret, raw ? { format: 'raw' } : {}).verify(body, headers)),
            svix: outcome(() => new svix.Webhook(spelled).verify(body, headers)),
        }),
    );
});
