#ifndef NOTIFY_BASE_BUF_H
#define NOTIFY_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A growing byte buffer with a stated maximum. Appending beyond the maximum keeps what fits out, sets
 * `overflow` and changes nothing else; a caller that builds something checks `overflow` once at the end.
 * `data` is NUL-terminated behind `len` (the NUL is not counted) once anything was appended.
 */
struct buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    bool overflow;
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);
/* Overwrite the contents, then free: for secrets. */
void buf_wipe(struct buf *b);
/* Forget the contents and the overflow, keep the memory. */
void buf_reset(struct buf *b);

/* Make room for N bytes more at once, or for what is left below the maximum; for who knows what is coming. */
void buf_reserve(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_add_text(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);
void buf_add_int(struct buf *b, int64_t value);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Contents as a C string; "" when empty. Borrowed: valid until the next call that changes the buffer. */
const char *buf_text(const struct buf *b);

/*
 * JSON output. Strings are written as valid JSON whatever the bytes are: invalid UTF-8 becomes U+FFFD,
 * control characters are escaped (RFC 8259 section 7). A NULL text is written as null.
 */
void buf_json_text(struct buf *b, const char *text);
void buf_json_bytes(struct buf *b, const char *bytes, size_t n);
/* The shortest decimal that reads back as VALUE; NaN and infinities, which JSON lacks, become null. */
void buf_json_number(struct buf *b, double value);
/* `"key":` with a comma before it unless it opens the object ('{' is the last byte). */
void buf_json_key(struct buf *b, const char *key);
/* A whole member, as buf_json_key separates them. */
void buf_json_member(struct buf *b, const char *key, const char *text);
void buf_json_bool(struct buf *b, const char *key, bool value);
/* `"key":[`, to be closed by the caller. */
void buf_json_open_list(struct buf *b, const char *key);
/* `"key":{`, to be closed by the caller. */
void buf_json_open_object(struct buf *b, const char *key);
/* '{' of an object in a list, with a comma before it unless it is the first thing in the list or in B. */
void buf_json_open_item(struct buf *b);

#endif
