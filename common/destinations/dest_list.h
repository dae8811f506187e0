/*
 * One row per destination: X(symbol of its struct dest). To add one: write common/destinations/<kind>.c that
 * defines `const struct dest dest_<kind>`, add its row here, its golden cases and its page in docs.
 */
#define DEST_LIST(X)                                                                                         \
    X(dest_webhook)                                                                                          \
    X(dest_slack)
