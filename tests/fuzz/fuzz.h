#ifndef NOTIFY_TESTS_FUZZ_H
#define NOTIFY_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/check.h"

/* The entry that libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input, eaten from the front. Everything past its end is empty or zero. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
    if (in->size == 0)
        return 0;
    in->size--;
    return *in->data++;
}

/* Up to the next NUL or the end: a text in memory of its own size, so that a read behind it is seen. */
static inline char *fuzz_text(struct fuzz_input *in, struct arena *a, size_t *n)
{
    const uint8_t *end = in->size ? memchr(in->data, 0, in->size) : NULL;
    size_t length = end ? (size_t)(end - in->data) : in->size;
    char *text = arena_text(a, (const char *)in->data, length);
    in->data += length;
    in->size -= length;
    if (end)
        fuzz_byte(in);
    if (n)
        *n = length;
    return text;
}

#endif
