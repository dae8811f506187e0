#ifndef NOTIFY_MODEL_SETTINGS_SEAL_H
#define NOTIFY_MODEL_SETTINGS_SEAL_H

#include "common/base/buf.h"
#include "common/base/fernet.h"

/*
 * The column config_encrypted (compat.md section 3): a Fernet token whose plaintext is {"config": "<JSON
 * text>"}, or, in some rows, the settings object itself. Reading accepts both, writing uses the first.
 */

/* Append the settings as JSON text of one object to OUT. False with static advice in *WHY. Wipe OUT after
 * use. */
bool settings_open(const struct fernet_keys *keys, const unsigned char *token, size_t n, struct buf *out,
                   const char **why);
/*
 * Append SETTINGS, the JSON of an object, to OUT as they are sealed: without white space, and out of their
 * wrapping when they stand in {"config": "<JSON text>"} already. Everything else stays as it was written,
 * numbers too. False with static advice in *WHY. OUT grows by N bytes at most; wipe it after use.
 */
bool settings_compact(const char *settings, size_t n, struct buf *out, const char **why);
/* Append the token for SETTINGS, made compact, to OUT. False with advice in *WHY when they are no object. */
bool settings_seal(const struct fernet_keys *keys, const char *settings, size_t n, int64_t now_s,
                   struct buf *out, const char **why);

#endif
