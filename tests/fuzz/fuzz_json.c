/*
 * json_parse against a second, independent reading of RFC 8259: both must say the same about any bytes. What
 * was read must also be copied into storable texts.
 */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_dup(data, size); /* a block of its own size: reading behind it is an error */
    check(reads(text, size) == json_check(text, size, true));
    free(text);
    return 0;
}
