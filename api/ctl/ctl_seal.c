/*
 * ctl_seal - notifyctl seal: settings in, config_encrypted out
 *
 * Reads the settings from standard input, because a command line is visible to everybody on the machine, and
 * wipes them afterwards. Needs the keys and no server. With --kind that destination says whether it would
 * take them, which a worker would else say of the first delivery.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/ctl/ctl.h"
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/fernet.h"
#include "common/destinations/dest.h"
#include "common/model/settings_seal.h"

enum { ARENA_BLOCK = 4096 };

bool ctl_read_settings(int fd, const char *name, struct buf *out)
{
    char piece[4096];
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            buf_add(out, piece, (size_t)n);
    explicit_bzero(piece, sizeof piece);
    if (n < 0)
        fprintf(stderr, "notifyctl: %s: %s\n", name, strerror(errno));
    else if (out->overflow)
        fprintf(stderr, "notifyctl: the settings are longer than %zu bytes\n", out->max);
    return n == 0 && !out->overflow;
}

/* The destination of --kind; NULL without one. False, and said, when there is no such kind. */
static bool find_kind(const struct ctl *ctl, const struct dest **dest)
{
    const char *kind = ctl_value(ctl, "--kind");
    *dest = dest_find(kind);
    if (!kind || *dest)
        return true;
    fputs("notifyctl: --kind needs one of:", stderr);
    for (size_t i = 0; dest_all[i]; i++)
        fprintf(stderr, "%s %s", i ? "," : "", dest_all[i]->kind);
    fprintf(stderr, ", not '%s'\n", kind);
    return false;
}

/* Whether the destination would take the settings; without one everything passes. */
static bool is_taken_by(const struct dest *dest, const struct buf *settings)
{
    struct arena arena;
    struct dest_config_error error = {.detail = ""};
    if (!dest)
        return true;
    arena_init(&arena, ARENA_BLOCK);
    bool good = dest->config_parse(&arena, buf_text(settings), settings->len, &error) != NULL;
    if (!good)
        fprintf(stderr, "notifyctl: %s: %s\n", dest->kind, error.detail);
    else if (error.advice)
        fprintf(stderr, "notifyctl: %s: note: %s\n", dest->kind, error.advice);
    arena_wipe(&arena);
    return good;
}

static enum ctl_exit seal(const struct fernet_keys *keys, const struct dest *dest, const struct buf *input)
{
    struct buf settings, token;
    const char *why = "";
    bool good = false;
    buf_init(&settings, CTL_SETTINGS_MAX);
    buf_init(&token, 16 * CTL_SETTINGS_MAX);
    if (!settings_compact(buf_text(input), input->len, &settings, &why))
        fprintf(stderr, "notifyctl: %s\n", why);
    else if (!is_taken_by(dest, &settings))
        good = false;
    else if (!settings_seal(keys, buf_text(&settings), settings.len, clock_wall_us() / 1000000, &token, &why))
        fprintf(stderr, "notifyctl: %s\n", why);
    else
        good = puts(buf_text(&token)) >= 0;
    buf_wipe(&settings);
    buf_wipe(&token);
    return good ? CTL_DONE : CTL_NO;
}

enum ctl_exit ctl_seal(const struct ctl *ctl)
{
    const struct conf_texts *texts = &ctl->conf->secrets_fernet_keys;
    const struct dest *dest;
    struct fernet_keys keys;
    size_t bad;
    if (!find_kind(ctl, &dest))
        return CTL_WRONG_USE;
    if (!texts->count) {
        fputs("notifyctl: there is no key; set secrets.fernet_keys, secrets.fernet_keys_file or FERNET_KEY\n",
              stderr);
        return CTL_BAD_CONF;
    }
    if (!fernet_keys_init(&keys, texts->items, texts->count, &bad))
        return CTL_BAD_CONF; /* refused by conf_load already */

    struct buf input;
    buf_init(&input, CTL_SETTINGS_MAX);
    enum ctl_exit code =
        ctl_read_settings(STDIN_FILENO, "standard input", &input) ? seal(&keys, dest, &input) : CTL_NO;
    buf_wipe(&input);
    fernet_keys_wipe(&keys);
    return code;
}
