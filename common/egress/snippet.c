/*
 * snippet - what is kept of an answer
 *
 * Pure. Rows, tables on a screen and support tickets show what a destination answered; the addresses and headers of
 * settings are secrets (a chat webhook's URL is all that one needs to post). Knows no destination: everything of a
 * request that came from its settings is masked, and what we add to every request is not.
 */
#include "common/egress/snippet.h"

#include <string.h>
#include <strings.h>

#include "common/base/base64.h"

enum { WINDOW = 3 * SNIPPET_MAX, WORD_MAX = WINDOW - SNIPPET_MAX, PAIR_MAX = 4096 };

/* A secret that the cut would go through must be found whole: the window is longer than what is kept. */
struct window {
    char bytes[WINDOW];
    size_t size;
};

static void mask_word(struct window *w, const char *word, size_t n)
{
    if (n < SNIPPET_SECRET_MIN)
        return;
    if (n > WORD_MAX)
        n = WORD_MAX;
    char *at = w->bytes;
    while ((at = memmem(at, w->size - (size_t)(at - w->bytes), word, n))) {
        memset(at, '*', n);
        at += n;
    }
}

static void mask_words(struct window *w, const char *text, const char *between)
{
    while (*text) {
        size_t n = strcspn(text, between);
        mask_word(w, text, n);
        text += n;
        text += strspn(text, between);
    }
}

static const char *path_of(const char *url)
{
    const char *host = strstr(url, "://");
    const char *path = host ? strpbrk(host + 3, "/?") : NULL;
    return path ? path : "";
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* N bytes of a URL without percent-encoding, into OUT of as many; returns how many. */
static size_t decode(const char *text, size_t n, char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        bool escaped =
            text[i] == '%' && i + 2 < n && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
        char c = text[i];
        if (escaped)
            c = (char)(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
        out[used++] = c;
        i += escaped ? 2 : 0;
    }
    return used;
}

/* The name and the password of a URL, as they stand there, decoded, and as curl makes Basic credentials of them. */
static void mask_userinfo(struct window *w, const char *url)
{
    const char *begin = strstr(url, "://");
    begin = begin ? begin + 3 : url;
    const char *end = memrchr(begin, '@', strcspn(begin, "/?#"));
    char pair[PAIR_MAX];
    struct buf basic;
    if (!end || end - begin > PAIR_MAX - 1)
        return;
    const char *colon = memchr(begin, ':', (size_t)(end - begin));
    const char *password = colon ? colon + 1 : end;
    size_t name = decode(begin, (size_t)((colon ? colon : end) - begin), pair), rest;
    pair[name] = ':';
    rest = decode(password, (size_t)(end - password), pair + name + 1);
    buf_init(&basic, 2 * PAIR_MAX);
    base64_encode(BASE64_STANDARD, pair, name + 1 + rest, &basic);
    mask_word(w, buf_text(&basic), basic.len);
    mask_word(w, password, (size_t)(end - password));
    mask_word(w, pair + name + 1, rest);
    mask_word(w, begin, (size_t)((colon ? colon : end) - begin));
    mask_word(w, pair, name);
    buf_wipe(&basic);
    explicit_bzero(pair, sizeof pair);
}

static bool is_ours(const char *header)
{
    static const char *const ours[] = {"Content-Type", "User-Agent", "webhook-id", "webhook-timestamp",
                                       "X-Pencheff-Timestamp"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcasecmp(header, ours[i]) == 0)
            return true;
    return false;
}

/* Whoever takes Basic credentials has the password in clear, and may say it so. */
static void mask_password(struct window *w, const char *value)
{
    static const char scheme[] = "Basic ";
    unsigned char pair[PAIR_MAX + 1];
    size_t n = strlen(value), skip = sizeof scheme - 1;
    if (strncasecmp(value, scheme, skip) != 0 || base64_decoded_max(n - skip) > PAIR_MAX ||
        !base64_decode(BASE64_STANDARD, BASE64_LENIENT, value + skip, n - skip, pair, &n))
        return;
    const unsigned char *colon = memchr(pair, ':', n);
    if (colon)
        mask_word(w, (const char *)colon + 1, n - (size_t)(colon + 1 - pair));
    explicit_bzero(pair, sizeof pair);
}

size_t snippet_take(char out[SNIPPET_MAX], const struct dest_request *request,
                    const struct dest_response *response)
{
    struct window w;
    w.size = response->body_size < WINDOW ? response->body_size : WINDOW;
    if (w.size == 0)
        return 0;
    memcpy(w.bytes, response->body, w.size);
    mask_userinfo(&w, request->url);
    mask_words(&w, path_of(request->url), "/?&=;#");
    for (size_t i = 0; i < request->header_count; i++)
        if (!is_ours(request->headers[i].name)) {
            mask_words(&w, request->headers[i].value, " ,;=");
            mask_password(&w, request->headers[i].value);
        }
    if (request->body_secret)
        mask_word(&w, request->body_secret, strlen(request->body_secret));
    size_t n = w.size < SNIPPET_MAX ? w.size : SNIPPET_MAX;
    memcpy(out, w.bytes, n);
    return n;
}
