/*
 * discord_life - the one message that stands for a finding, posted once and edited over the finding's life
 *
 * Pure. Discord's id of the message is remembered. A webhook can edit what it has posted but cannot look for it, so a
 * message of which nobody knows whether it was posted is posted again. An edit carries the whole message, since what it does
 * not name stays as it was; so it may be repeated without harm.
 *
 *   nothing is known of it    POST webhook?wait=true               the id in the answer is remembered
 *   it is                     PATCH webhook/messages/ID            gone: forgotten, and posted anew while the finding is open
 */
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/discord.h"
#include "common/destinations/life.h"

enum { STEP_POSTED = 1, STEP_EDITED };

/* A snowflake: 64 bits in decimal (discord-api-docs reference). */
enum { ID_MAX = 20 };

static bool is_id(const char *key)
{
    size_t n = key ? strlen(key) : 0;
    return n > 0 && n <= ID_MAX && strspn(key, "0123456789") == n;
}

static bool is_over(const struct conversation *c)
{
    return life_end_of(&c->jobs[0].facts->finding) != LIFE_GOES_ON;
}

static enum dest_next end_with(struct conversation *c, struct verdict verdict)
{
    c->jobs[0].verdict = verdict;
    return DEST_FINISHED;
}

/* ---- posting ---- */

static enum dest_next post(struct conversation *c, struct dest_request *out)
{
    const struct discord_config *config = c->config;
    const struct buf *body = dest_cached_body(c, (int)config->style, discord_body_build);
    if (body->overflow)
        return end_with(c, verdict_too_long());
    dest_request_post_json(out, config->url, body);
    discord_sign(out);
    out->once = true;
    life_asks(c);
    c->step = STEP_POSTED;
    return DEST_SEND;
}

/* In the conversation's arena; NULL when ANSWER names no message. */
static const char *id_in(const struct conversation *c, const struct dest_response *answer)
{
    struct json_object *body = dest_answer_json(answer), *id = json_get(body, "id");
    const char *text = json_is_text(id) ? arena_strdup(c->arena, json_object_get_string(id)) : NULL;
    json_object_put(body);
    return is_id(text) ? text : NULL;
}

/* What was posted without an id, through a proxy that keeps the answer, is told but cannot be remembered. */
static void on_posted(struct conversation *c, const struct dest_response *answer)
{
    struct verdict *v = &c->jobs[0].verdict;
    *v = discord_judge(answer);
    const char *id = id_in(c, answer);
    if (v->kind != VERDICT_DELIVERED)
        life_failed(c, answer);
    else if (id)
        life_is(c, id, true);
    else
        c->reference = (struct dest_reference){.known = false};
}

/* ---- editing ---- */

/* What happened, as it stands in Discord's Markdown. Where the last edit is in doubt, nobody knows whether the message said
 * that it is closed; "Updated" is true in any case. */
static void add_words(struct buf *out, const struct conversation *c, enum life_act act)
{
    const struct conversation_job *job = &c->jobs[0];
    bool in_doubt = act == LIFE_REOPEN && c->reference.open;
    enum life_act said = is_over(c) ? LIFE_CLOSE : in_doubt ? LIFE_CHANGE : act;
    const char *words = life_words(said, job->event, &job->facts->finding, c->arena);
    text_add_escaped(out, words, DISCORD_WORDS_MAX, TEXT_UTF16_UNITS, discord_escape);
}

/* REST, an edit, with the words before its text, into OUT. */
static void put_together(struct buf *out, const struct conversation *c, enum life_act act,
                         const struct buf *rest)
{
    const struct discord_config *config = c->config;
    const size_t start = sizeof DISCORD_EDIT_START - 1;
    struct buf words, json;
    buf_init(&words, 4096);
    buf_init(&json, 16384);
    add_words(&words, c, act);
    if (config->style == DEST_STYLE_TEXT)
        buf_add_char(&words, '\n');
    buf_json_text(&json, buf_text(&words));
    buf_add(out, rest->data, start - 1);
    buf_add(out, json.data, json.len - 1); /* its quote at the end is that of the text behind it */
    buf_add(out, rest->data + start, rest->len - start);
    buf_free(&words);
    buf_free(&json);
}

static enum dest_next edit(struct conversation *c, enum life_act act, struct dest_request *out)
{
    const struct discord_config *config = c->config;
    const struct buf *rest = dest_cached_body(c, DISCORD_EDIT + (int)config->style, discord_body_build);
    struct buf whole;
    if (rest->overflow)
        return end_with(c, verdict_too_long());
    buf_init(&whole, rest->max);
    put_together(&whole, c, act, rest);
    const char *body = whole.overflow ? NULL : arena_text(c->arena, whole.data, whole.len);
    size_t size = whole.len;
    buf_free(&whole);
    if (!body)
        return end_with(c, verdict_too_long());
    const char *url =
        arena_printf(c->arena, "%s/messages/%s%s", config->place, c->reference.key, config->query);
    dest_request_json(out, "PATCH", url, body, size);
    discord_sign(out);
    life_asks(c);
    c->step = STEP_EDITED;
    return DEST_SEND;
}

/*
 * The message is gone: 10008, unknown. Or this webhook will never edit it: 50005, another one has posted it (the setting
 * leads elsewhere now); 50083, its thread is archived, which a new message opens again.
 */
static bool is_gone(const struct dest_response *answer)
{
    static const int codes[] = {10008, 50005, 50083};
    struct json_object *body = dest_answer_json(answer), *code = json_get(body, "code");
    bool gone = false;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        gone = gone || (json_object_is_type(code, json_type_int) && json_object_get_int64(code) == codes[i]);
    json_object_put(body);
    return gone && answer->status >= 400 && answer->status < 500 && answer->status != 429;
}

static void on_edited(struct conversation *c, const struct dest_response *answer)
{
    struct verdict *v = &c->jobs[0].verdict;
    if (is_gone(answer)) {
        *v = life_is_gone(c);
        return;
    }
    *v = discord_judge(answer);
    if (v->kind == VERDICT_DELIVERED)
        life_is(c, c->reference.key, !is_over(c));
    else
        life_failed(c, answer);
}

/* ---- the conversation ---- */

static enum dest_next begin(struct conversation *c, struct dest_request *out)
{
    struct dest_reference *r = &c->reference;
    if (r->known && !is_id(r->key))
        *r = (struct dest_reference){.unsure = r->unsure, .unsure_since_us = r->unsure_since_us};
    enum life_act act = life_act_of(c);
    if (act == LIFE_NOTHING)
        return end_with(c, life_nothing(c));
    if (r->known)
        return edit(c, act, out);
    if (!is_over(c))
        return post(c, out);
    *r = (struct dest_reference){.known = false};
    return end_with(c, life_nothing(c));
}

enum dest_next discord_life_next(struct conversation *c, const struct dest_response *last,
                                 struct dest_request *out)
{
    if (!last)
        return begin(c, out);
    if (c->step == STEP_POSTED)
        on_posted(c, last);
    else
        on_edited(c, last);
    return DEST_FINISHED;
}
