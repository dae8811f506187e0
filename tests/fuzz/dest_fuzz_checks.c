/*
 * dest_fuzz_checks - what the fuzz targets of several kinds check
 */
#include "tests/fuzz/dest_fuzz_checks.h"

#include <string.h>

#include "common/base/check.h"
#include "common/base/json.h"
#include "common/base/utf8.h"

const char *dest_fuzz_text(struct json_object *object, const char *key)
{
    check(json_is_text(json_get(object, key)));
    return json_object_get_string(json_get(object, key));
}

size_t dest_fuzz_units(const char *text)
{
    size_t units = 0;
    for (; *text; text++)
        units += ((unsigned char)*text & 0xC0) == 0x80 ? 0 : (unsigned char)*text >= 0xF0 ? 2 : 1;
    return units;
}

size_t dest_fuzz_check_seen(const char *text, bool lines)
{
    size_t n = strlen(text);
    check(n > 0);
    for (size_t i = 0; i < n; i += utf8_length_at(text + i, n - i))
        check(utf8_length_at(text + i, n - i) > 0 &&
              ((unsigned char)text[i] >= ' ' || (lines && text[i] == '\n')));
    check(!strstr(text, "\xe2\x80\xae") && !strstr(text, "\xe2\x80\x8b"));
    return dest_fuzz_units(text);
}

void dest_fuzz_check_entities(const char *text)
{
    check(!strpbrk(text, "<>"));
    for (; (text = strchr(text, '&')); text++)
        check(strncmp(text, "&amp;", 5) == 0 || strncmp(text, "&lt;", 4) == 0 ||
              strncmp(text, "&gt;", 4) == 0);
}

void dest_fuzz_check_codes(struct json_object *list)
{
    check(json_object_is_type(list, json_type_array));
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const char *code = json_object_get_string(json_object_array_get_idx(list, i));
        check(strspn(code, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(code));
    }
}

void dest_fuzz_show_clean(struct buf *out, const char *text, int way)
{
    text_add_clean(out, text, way == 0 ? TEXT_ONE_LINE : TEXT_LINES);
}

void dest_fuzz_show_escaped(struct buf *out, const char *text, enum text_shape shape, text_escape *escape)
{
    struct buf clean;
    buf_init(&clean, out->max);
    text_add_clean(&clean, text, shape);
    text_add_escaped(out, buf_text(&clean), out->max, TEXT_BYTES, escape);
    buf_free(&clean);
}

bool dest_fuzz_answer_has(const struct dest_response *answer, const char *key, enum json_type type)
{
    const char *why;
    struct json_object *body = json_parse(answer->body, answer->body_size, &why);
    bool has = !answer->truncated && json_object_is_type(json_get(body, key), type);
    json_object_put(body);
    return has;
}
