/*
 * One row per destination: X(symbol of its struct dest, kind). To add one: write common/destinations/<kind>.c that
 * defines `const struct dest dest_<kind>`, add its row here, its rate (gate.rate_<kind> in conf_table.h), its golden cases
 * and its page in docs.
 */
#define DEST_LIST(X)                                                                                         \
    X(dest_webhook, webhook)                                                                                 \
    X(dest_slack, slack)
