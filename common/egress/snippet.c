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
