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
/* Append the token to OUT. SETTINGS must be the JSON of an object; false with advice in *WHY when it is not.
 */
bool settings_seal(const struct fernet_keys *keys, const char *settings, size_t n, int64_t now_s,
                   struct buf *out, const char **why);

#endif
