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
    facts->target.name = facts->target.base_url = facts->scan.profile = facts->scan.grade = text;
    facts->scan.error = event->error = event->change_summary = text;
    facts->finding.title = facts->finding.endpoint = facts->finding.parameter = text;
    facts->finding.category = facts->finding.owasp_category = facts->finding.cwe_id = text;
    facts->finding.description = facts->finding.remediation = facts->finding.verification_status = text;
}

void chat_each_long(dest_body_builder *build, int layout,
                    void (*see)(struct json_object *body, size_t bytes, const char *letter))
{
    static const char *const letters[] = {"a", "&", "<", "ü", "日", "🚨", "\"", "\\", "a\n", "{", "*"};
    static char text[65000];
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i += (size_t)unit_step(1, 8)) {
        text[0] = 0;
        for (size_t n = 0; n + strlen(letters[i]) < sizeof text; n += strlen(letters[i]))
            memcpy(text + n, letters[i], strlen(letters[i]) + 1);
        for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
            struct facts facts = talk_facts();
            struct event event = talk_event();
            size_t bytes;
            event.type = (enum event_type)type;
            chat_fill(&facts, &event, text);
            struct json_object *body = render(build, &event, &facts, layout, &bytes);
            see(body, bytes, letters[i]);
            json_object_put(body);
        }
    }
}
