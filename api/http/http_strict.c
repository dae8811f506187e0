/*
 * http_strict - what libmicrohttpd takes of a request and we do not
 *
 * A proxy before us and we must agree where each request ends, or what one client sends is taken for part of another's
 * (request smuggling, RFC 9112 section 11.2). libmicrohttpd is lenient: it takes a Content-Length beside a Transfer-Encoding,
 * two of them, names with spaces, codings it does not know, and lines that end with LF or CR alone. All of these are refused,
 * and the connection is closed behind the answer.
 *
 * How lines ended cannot be asked. 0.9.75 (Debian 12) leaves the head of a request where it arrived and overwrites each byte of
 * a line's end with NUL, so from one header to the next there are exactly two; folded lines it moves away. That is looked at
 * with this version only; later ones refuse such lines themselves.
 */
#include "api/http/http_strict.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/base/list.h"

#define VERSION_WITH_PLACES "0.9.75"
#define NAME_CHARACTERS                                                                                      \
    "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" /* RFC 9110, token */

enum once { HOST, LENGTH, CODING, AUTHORIZATION, TYPE, KEY, ONCE_COUNT };

static const char *const once[ONCE_COUNT] = {
    [HOST] = "Host",
    [LENGTH] = "Content-Length",
    [CODING] = "Transfer-Encoding",
    [AUTHORIZATION] = "Authorization",
    [TYPE] = "Content-Type",
    [KEY] = "Idempotency-Key",
};

struct look {
    const char *at;           /* where the next line must begin; NULL: not known */
    bool names, lines, twice; /* what was found wrong */
    const char *values[ONCE_COUNT];
};

static bool is_name(const char *name, size_t n)
{
    return n > 0 && strspn(name, NAME_CHARACTERS) == n;
}

/* Is there no more than spaces between the name's colon and its value, which ends with CR LF? */
static bool stands_right(struct look *l, const char *name, size_t name_size, const char *value,
                         size_t value_size)
{
    const char *at = name + name_size + 1;
    if (name != l->at || value < at)
        return false;
    while (at < value && (*at == ' ' || *at == '\t'))
        at++;
    l->at = value + value_size + 2;
    return at == value && strlen(value) == value_size && !value[value_size + 1];
}

static enum MHD_Result look_at(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_size,
                               const char *value, size_t value_size)
{
    struct look *l = arg;
    (void)kind;
    l->names |= !is_name(name, name_size);
    l->lines |= !value || memchr(value, '\r', value_size);
    l->lines |= l->at && !l->lines && !stands_right(l, name, name_size, value, value_size);
    for (size_t i = 0; i < ONCE_COUNT; i++) {
        if (strcasecmp(name, once[i]) != 0)
            continue;
        l->twice |= l->values[i] != NULL;
        l->values[i] = value ? value : "";
    }
    return l->lines ? MHD_NO : MHD_YES;
}

const char *http_strict_wrong(struct MHD_Connection *mhd, const char *version, const char *target_end)
{
    struct look l = {0};
    bool places = strcmp(MHD_get_version(), VERSION_WITH_PLACES) == 0;
    if (places && target_end) {
        if (target_end + 1 != version)
            return "the request line has a NUL, or more than one space between its parts";
        l.at = version + strlen(version) + 2;
        l.lines = l.at[-1] != 0;
    }
    MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, look_at, &l);
    if (l.lines)
        return "every line of a request's head ends with CR LF, has no NUL and is not folded";
    if (l.names)
        return "the name of a header is not one, or a space stands before its colon";
    if (l.twice)
        return "Host, Content-Length, Transfer-Encoding, Authorization, Content-Type and Idempotency-Key "
               "stand "
               "there at most once";
    if (!l.values[CODING])
        return NULL;
    if (l.values[LENGTH])
        return "send either Content-Length or Transfer-Encoding";
    if (strcasecmp(l.values[CODING], "chunked") != 0 || strcmp(version, "HTTP/1.0") == 0)
        return "this Transfer-Encoding is not known";
    return NULL;
}
