/*
 * chat - messages full of texts of one's choice
 */
#include "tests/unit/chat.h"

#include <string.h>

#include "common/base/json.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

static struct json_object *render(dest_body_builder *build, const struct event *event,
                                  const struct facts *facts, int layout, size_t *bytes)
{
    const char *why;
    struct buf b;
    buf_init(&b, 262144);
    build(event, facts, layout, &b);
    EXPECT(!b.overflow);
    struct json_object *root = json_parse(b.data, b.len, &why);
    if (!root)
        unit_fail(__FILE__, __LINE__, "%s in %s", why, b.data);
    *bytes = b.len;
    buf_free(&b);
    return root;
}

struct json_object *chat_render(dest_body_builder *build, const struct event *event,
                                const struct facts *facts, int layout)
{
    size_t bytes;
    return render(build, event, facts, layout, &bytes);
}

void chat_fill(struct facts *facts, struct event *event, const char *text)
{
    struct facts_finding *f = &facts->finding;
    facts->target.name = facts->target.base_url = facts->target.kind = text;
    facts->scan.profile = facts->scan.grade = facts->scan.status = text;
    facts->scan.error = event->error = event->change_summary = text;
    f->title = f->endpoint = f->parameter = f->category = f->owasp_category = f->cwe_id = text;
    f->description = f->remediation = f->verification_status = f->reachability = f->cvss_vector = text;
    f->created_at = f->resolved_at = f->suppress_reason = f->pencheff_finding_id = text;
}

void chat_each(dest_body_builder *build, int layout, const char *text, chat_see *see)
{
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        struct facts facts = {.has_finding = true};
        struct event event = {.id = "e"};
        size_t bytes;
        if (text) {
            facts = talk_facts();
            event = talk_event();
            chat_fill(&facts, &event, text);
        }
        event.type = (enum event_type)type;
        struct json_object *body = render(build, &event, &facts, layout, &bytes);
        see(body, bytes, text);
        json_object_put(body);
    }
}

void chat_each_long(dest_body_builder *build, int layout, chat_see *see)
{
    static const char *const letters[] = {"a", "&", "<",  "ü", "日",   "🚨",   "\"",     "\\",
                                          "{", "*", "@a", "`", ":a: ", ":h ", "\"日\\", "a\n"};
    static char text[33000]; /* more than any kind shows of all texts together */
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i += (size_t)unit_step(1, 15)) {
        text[0] = 0;
        for (size_t n = 0; n + strlen(letters[i]) < sizeof text; n += strlen(letters[i]))
            memcpy(text + n, letters[i], strlen(letters[i]) + 1);
        chat_each(build, layout, text, see);
    }
}

const char *chat_text(struct json_object *object, const char *key)
{
    struct json_object *value = json_get(object, key);
    return json_is_text(value) ? json_object_get_string(value) : "no text";
}

struct json_object *chat_item(struct json_object *object, const char *key, size_t index)
{
    struct json_object *list = json_get(object, key);
    return json_object_is_type(list, json_type_array) ? json_object_array_get_idx(list, index) : NULL;
}

size_t chat_units(const char *text)
{
    size_t units = 0;
    for (; *text; text++)
        units += ((unsigned char)*text & 0xC0) == 0x80 ? 0 : (unsigned char)*text >= 0xF0 ? 2 : 1;
    return units;
}

size_t chat_units_at(struct json_object *object, const char *key)
{
    return json_is_text(json_get(object, key)) ? chat_units(chat_text(object, key)) : 0;
}
