/*
 * ctl_seal - notifyctl seal: settings in, config_encrypted out
 *
 * Reads the settings from standard input, because a command line is visible to everybody on the machine, and
 * wipes them afterwards. Needs the keys and no server.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/ctl/ctl.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/fernet.h"
#include "common/model/settings_seal.h"

enum { SETTINGS_MAX = 65536 }; /* bytes: the settings of an integration have a few hundred */

static bool read_settings(struct buf *out)
{
    char piece[4096];
    ssize_t n;
    while ((n = read(STDIN_FILENO, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            buf_add(out, piece, (size_t)n);
    explicit_bzero(piece, sizeof piece);
    if (n < 0)
        fprintf(stderr, "notifyctl: standard input: %s\n", strerror(errno));
    else if (out->overflow)
        fprintf(stderr, "notifyctl: the settings are longer than %d bytes\n", SETTINGS_MAX);
    return n == 0 && !out->overflow;
}

enum ctl_exit ctl_seal(const struct ctl *ctl)
{
    const struct conf_texts *texts = &ctl->conf->secrets_fernet_keys;
    struct fernet_keys keys;
    size_t bad;
    if (!texts->count) {
        fputs("notifyctl: there is no key; set secrets.fernet_keys, secrets.fernet_keys_file or FERNET_KEY\n",
              stderr);
        return CTL_BAD_CONF;
    }
    if (!fernet_keys_init(&keys, texts->items, texts->count, &bad))
        return CTL_BAD_CONF; /* refused by conf_load already */

    struct buf settings, token;
    const char *why = "";
    buf_init(&settings, SETTINGS_MAX);
    buf_init(&token, 8 * SETTINGS_MAX);
    enum ctl_exit code = CTL_NO;
    if (read_settings(&settings)) {
        if (settings_seal(&keys, buf_text(&settings), settings.len, clock_wall_us() / 1000000, &token,
                          &why)) {
            printf("%s\n", buf_text(&token));
            code = CTL_DONE;
        } else {
            fprintf(stderr, "notifyctl: %s\n", why);
        }
    }
    buf_wipe(&settings);
    buf_wipe(&token);
    fernet_keys_wipe(&keys);
    return code;
}
