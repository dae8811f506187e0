#ifndef NOTIFY_API_MCP_KEYS_H
#define NOTIFY_API_MCP_KEYS_H

/* Idempotency-Keys of requests of which it is not known whether they were carried out. */
struct keys;

struct keys *keys_new(void);
void keys_free(struct keys *k);
/* The key that was kept for WHAT, a text that says all of the request; NULL: none. Borrowed until the next call of any of these. */
const char *keys_find(const struct keys *k, const char *what);
/* Keep KEY for WHAT. Both are copied; the oldest goes when there is no room. Harmless when it is kept already. */
void keys_keep(struct keys *k, const char *what, const char *key);
/* It is known what became of it. Harmless when there is none. */
void keys_forget(struct keys *k, const char *what);

#endif
