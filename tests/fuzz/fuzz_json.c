/*
 * What we write is read back as it was: any bytes as a string, any number. And json_parse against a second, independent reading of RFC 8259: both must say the same about any bytes. What
 * was read must also be copied into storable texts.
 */
#include <math.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_check.h"

/* The null value reads as NULL; json_parse calls that an error with this word. */
static int reads(const char *text, size_t n)
{
    const char *why = "?";
    struct json_object *root = json_parse(text, n, &why);
    struct arena a;
    arena_init(&a, 1024);
    if (json_is_text(root)) {
        char *copy = json_copy_text(&a, root, 16);
        check(strlen(copy) <= 16 && utf8_is_storable(copy, strlen(copy)));
    }
    arena_free(&a);
    json_object_put(root);
    return root != NULL || strcmp(why, "null") == 0;
}

/* Bytes that are none of UTF-8 come back as U+FFFD; so does no other. */
static void write_text(const char *bytes, size_t n)
{
    const char *why;
    struct buf out;
    struct arena a;
    arena_init(&a, 256);
    buf_init(&out, 8 * n + 64);
    buf_json_bytes(&out, bytes, n);
    check(!out.overflow && json_check(out.data, out.len, false));
    struct json_object *value = json_parse(out.data, out.len, &why);
    check(json_is_text(value));
    const char *text = json_object_get_string(value);
    if (!memchr(bytes, 0, n))
        check(strcmp(text, utf8_storable_copy(&a, bytes, n, 4 * n + 64)) == 0);
    json_object_put(value);
    buf_free(&out);
    arena_free(&a);
}

static void write_number(const char *bytes, size_t n)
{
    double value = 0;
    const char *why;
    struct buf out;
    memcpy(&value, bytes, n < sizeof value ? n : sizeof value);
    buf_init(&out, 64);
    buf_json_number(&out, value);
    check(!out.overflow && json_check(out.data, out.len, false));
    struct json_object *read = json_parse(out.data, out.len, &why);
    check(isfinite(value) ? read && json_object_get_double(read) == value : read == NULL);
    json_object_put(read);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_dup(data, size); /* a block of its own size: reading behind it is an error */
    check(reads(text, size) == json_check(text, size, true));
    write_text(text, size);
    write_number(text, size);
    free(text);
    return 0;
}
