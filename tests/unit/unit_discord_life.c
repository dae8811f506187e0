/*
 * The one message that stands for a finding at Discord: what is posted, what is edited, and what is remembered after each
 * answer.
 */
#include <string.h>

#include "common/base/json.h"
#include "common/destinations/discord.h"
#include "tests/unit/chat.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

#define PLACE  "https://discord.example/api/webhooks/1/x"
#define CARD   "{\"webhook_url\":\"" PLACE "\"}"
#define LINE   "{\"webhook_url\":\"" PLACE "\",\"style\":\"text\"}"
#define STORED "{\"id\":\"1300000000000000001\"}"
#define ID     "1300000000000000007"
#define GREEN  0x16A34A

static const struct dest_reference nobody_knows = {.unsure = true, .unsure_since_us = 1},
                                   is_open = {.known = true, .open = true, .key = ID},
                                   is_closed = {.known = true, .key = ID},
                                   in_doubt = {.known = true, .open = true, .unsure = true, .key = ID};

static void begin(struct talk *t, const char *settings, enum event_type type, bool over,
                  struct dest_reference reference)
{
    talk_begin(t, "discord", settings, "abc", 1);
    t->event.type = type;
    t->facts = talk_open_facts();
    t->facts.finding.suppressed = over;
    t->facts.finding.suppress_reason = over ? "**accepted**\n@here" : NULL;
    t->c.reference = reference;
}

static void expect_reference(const struct talk *t, const char *key, bool open, bool unsure)
{
    const struct dest_reference *r = &t->c.reference;
    EXPECT_INT(r->known, key != NULL);
    EXPECT_INT(r->unsure, unsure);
    if (!key)
        return;
    EXPECT_TEXT(r->key, key);
    EXPECT_INT(r->open, open);
}

/* ---- posting ---- */

static void a_finding_is_posted_once_and_the_id_of_its_message_remembered(void)
{
    for (int type = EVENT_FINDING_NEW; type <= EVENT_FINDING_CHANGED; type++) {
        struct talk t;
        begin(&t, CARD, (enum event_type)type, false, (struct dest_reference){0});
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT_TEXT(t.request.method, "POST");
        EXPECT_TEXT(t.request.url, PLACE "?wait=true");
        EXPECT(t.request.once && t.c.reference.unsure);
        EXPECT_INT(talk_answered(&t, 200, STORED), DEST_FINISHED);
        EXPECT_INT(t.job.verdict.kind, VERDICT_DELIVERED);
        expect_reference(&t, "1300000000000000001", true, false);
        EXPECT_INT(t.c.reference.severity, SEVERITY_HIGH);
        EXPECT_TEXT(t.c.reference.title, t.facts.finding.title);
        talk_end(&t);
    }
}

static void what_may_have_been_posted_is_posted_again_while_the_finding_is_open(void)
{
    struct talk t;
    begin(&t, CARD, EVENT_FINDING_NEW, false, nobody_knows);
    EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
    EXPECT(strcmp(t.request.method, "POST") == 0 && t.request.once);
    EXPECT_INT(talk_answered(&t, 200, STORED), DEST_FINISHED);
    expect_reference(&t, "1300000000000000001", true, false);
    talk_end(&t);

    begin(&t, CARD, EVENT_FINDING_CHANGED, true, nobody_knows);
    EXPECT_INT(talk_next(&t, NULL), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_NOTHING_TO_DO);
    expect_reference(&t, NULL, false, false);
    talk_end(&t);
}

static void a_post_that_fails_leaves_doubt_only_where_it_may_have_been_shown(void)
{
    static const struct {
        struct dest_response answer;
        enum verdict_kind verdict;
        bool unsure;
    } cases[] = {
        {{.status = 400, .body = ""}, VERDICT_REJECTED, false},
        {{.status = 404, .body = "{\"code\":10015}", .body_size = 14}, VERDICT_REJECTED, false},
        {{.status = 404, .body = "{\"code\":10008}", .body_size = 14}, VERDICT_REJECTED, false},
        {{.status = 429, .body = ""}, VERDICT_RETRY, false},
        {{.status = 500, .body = ""}, VERDICT_RETRY, true},
        {{.status = 200, .body = "<html>"}, VERDICT_REJECTED, true},
        {{.error = ERROR_CONNECT, .body = ""}, VERDICT_RETRY, false},
        {{.error = ERROR_TIMEOUT, .body = "", .sent = true}, VERDICT_RETRY, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk t;
        begin(&t, CARD, EVENT_FINDING_NEW, false, (struct dest_reference){0});
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT_INT(talk_next(&t, &cases[i].answer), DEST_FINISHED);
        EXPECT_INT(t.job.verdict.kind, cases[i].verdict);
        expect_reference(&t, NULL, false, cases[i].unsure);
        talk_end(&t);
    }
}

static void a_message_without_an_id_that_can_be_one_is_told_and_not_remembered(void)
{
    static const struct {
        long status;
        const char *body;
    } cases[] = {{204, ""},
                 {200, "{\"id\":\"\"}"},
                 {200, "{\"id\":\"1/2\"}"},
                 {200, "{\"id\":\"123456789012345678901\"}"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk t;
        begin(&t, CARD, EVENT_FINDING_NEW, false, (struct dest_reference){0});
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT_INT(talk_answered(&t, cases[i].status, cases[i].body), DEST_FINISHED);
        EXPECT_INT(t.job.verdict.kind, VERDICT_DELIVERED);
        expect_reference(&t, NULL, false, false);
        talk_end(&t);
    }
}

/* ---- editing ---- */

static struct json_object *edited(struct talk *t)
{
    const char *why;
    EXPECT_INT(talk_next(t, NULL), DEST_SEND);
    EXPECT_TEXT(t->request.method, "PATCH");
    EXPECT_TEXT(t->request.url, PLACE "/messages/" ID);
    EXPECT(!t->request.once && t->c.reference.unsure && t->request.answer_max > 0);
    EXPECT(strncmp(talk_header(t, "User-Agent"), "DiscordBot (", 12) == 0);
    struct json_object *root = json_parse(t->request.body, t->request.body_size, &why);
    EXPECT(root != NULL);
    EXPECT_INT(json_object_object_length(root), 4);
    return root;
}

/* The first line of what an edit says. */
static void expect_words(const char *settings, enum event_type type, bool over, struct dest_reference before,
                         const char *words)
{
    struct talk t;
    begin(&t, settings, type, over, before);
    struct json_object *root = edited(&t);
    const char *said = chat_text(root, "content");
    EXPECT(strncmp(said, words, strlen(words)) == 0);
    EXPECT(said[strlen(words)] == (strcmp(settings, LINE) == 0 ? '\n' : '\0'));
    struct json_object *embed = chat_item(root, "embeds", 0);
    EXPECT_INT(embed != NULL, strcmp(settings, CARD) == 0);
    if (embed)
        EXPECT_INT(json_object_get_int(json_get(embed, "color")), over ? GREEN : 0xEF4444);
    EXPECT_INT(json_object_get_int(json_get(root, "flags")), embed ? 0 : DISCORD_SUPPRESS_EMBEDS);
    json_object_put(root);
    EXPECT_INT(talk_answered(&t, 200, STORED), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_DELIVERED);
    expect_reference(&t, ID, !over, false);
    talk_end(&t);
}

static void an_edit_says_first_what_happened(void)
{
    static const char closed[] = "Closed\\: suppressed (\\*\\*accepted\\*\\* \\@here)";
    static const char *const styles[] = {CARD, LINE};
    for (int i = 0; i < 2; i++) {
        expect_words(styles[i], EVENT_FINDING_CHANGED, false, is_open, "Updated");
        expect_words(styles[i], EVENT_FINDING_NEW, false, is_open, "Found again");
        expect_words(styles[i], EVENT_FINDING_CHANGED, true, is_open, closed);
        expect_words(styles[i], EVENT_FINDING_NEW, true, is_open, closed);
        expect_words(styles[i], EVENT_FINDING_CHANGED, true, is_closed, closed);
        expect_words(styles[i], EVENT_FINDING_CHANGED, false, is_closed, "Open again");
        expect_words(styles[i], EVENT_FINDING_NEW, false, is_closed, "Found again");
        expect_words(styles[i], EVENT_FINDING_CHANGED, false, in_doubt, "Updated");
        expect_words(styles[i], EVENT_FINDING_CHANGED, true, in_doubt, closed);
    }
}

static void an_edit_shows_the_whole_finding_and_what_changed(void)
{
    struct talk t;
    begin(&t, CARD, EVENT_FINDING_CHANGED, false, is_open);
    struct json_object *root = edited(&t), *embed = chat_item(root, "embeds", 0);
    EXPECT(strstr(chat_text(embed, "title"), "HIGH") && !strstr(chat_text(embed, "title"), "updated"));
    EXPECT_TEXT(chat_text(embed, "description"), "verification\\_status\\: unverified → true\\_positive");
    EXPECT(strstr(t.request.body, "Description") && strstr(t.request.body, "Remediation"));
    json_object_put(root);
    talk_end(&t);

    begin(&t, LINE, EVENT_FINDING_CHANGED, false, is_open);
    root = edited(&t);
    EXPECT_TEXT(chat_text(root, "content"),
                "Updated\n🔴 \\[HIGH\\] CVSS 7\\.5 — SQL \"injection\" \\<\\/script\\>\n\\/cart?id=1\n"
                "verification\\_status\\: unverified → true\\_positive");
    json_object_put(root);
    talk_end(&t);
}

static void a_long_reason_is_cut_and_the_finding_still_there(void)
{
    char reason[2001] = "", title[2001] = "";
    memset(reason, '*', sizeof reason - 1);
    memset(title, '*', sizeof title - 1);
    struct talk t;
    begin(&t, LINE, EVENT_FINDING_CHANGED, true, is_open);
    t.facts.finding.suppress_reason = reason;
    t.facts.finding.title = t.facts.finding.endpoint = t.event.change_summary = title;
    struct json_object *root = edited(&t);
    EXPECT(chat_units_at(root, "content") <= DISCORD_CONTENT_MAX);
    const char *line = strchr(chat_text(root, "content"), '\n');
    EXPECT(line && strstr(line, "HIGH") != NULL);
    json_object_put(root);
    talk_end(&t);
}

static void an_edit_keeps_the_thread_and_leaves_the_rest_of_the_address_out(void)
{
    static const struct {
        const char *settings, *url;
    } cases[] = {
        {"{\"webhook_url\":\"" PLACE "?wait=false&thread_id=7&with_components=true#top\"}",
         PLACE "/messages/" ID "?thread_id=7&with_components=true"},
        {"{\"webhook_url\":\"https://proxy.example/there/\"}", "https://proxy.example/there/messages/" ID},
        {"{\"webhook_url\":\"" PLACE "?wait\"}", PLACE "/messages/" ID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk t;
        begin(&t, cases[i].settings, EVENT_FINDING_CHANGED, false, is_open);
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT_TEXT(t.request.url, cases[i].url);
        talk_end(&t);
    }
}

static void a_message_that_is_gone_is_forgotten(void)
{
    static const struct {
        long status;
        const char *body;
        bool gone;
    } cases[] = {
        {404, "{\"code\":10008}", true},      {403, "{\"code\":50005}", true},
        {400, "{\"code\":50083}", true},      {404, "{\"code\":10015}", false},
        {404, "{\"code\":0}", false},         {404, "", false},
        {404, "{\"code\":\"10008\"}", false}, {500, "{\"code\":10008}", false},
        {429, "{\"code\":10008}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int over = 0; over < 2; over++) {
            struct talk t;
            begin(&t, CARD, EVENT_FINDING_CHANGED, over, is_open);
            EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
            EXPECT_INT(talk_answered(&t, cases[i].status, cases[i].body), DEST_FINISHED);
            enum verdict_kind when_gone = over ? VERDICT_NOTHING_TO_DO : VERDICT_AGAIN;
            EXPECT_INT(t.job.verdict.kind == when_gone, cases[i].gone);
            expect_reference(&t, cases[i].gone ? NULL : ID, true, cases[i].status == 500);
            talk_end(&t);
        }
}

static void a_key_that_is_no_id_is_not_sent(void)
{
    static const char *const keys[] = {"",         "../../1/x", "1?x", "12 ", "-1", "123456789012345678901",
                                       "\xd9\xa1", NULL};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct talk t;
        struct dest_reference before = {.known = true, .open = true, .key = keys[i]};
        begin(&t, CARD, EVENT_FINDING_CHANGED, false, before);
        EXPECT_INT(talk_next(&t, NULL), DEST_SEND);
        EXPECT_TEXT(t.request.url, PLACE "?wait=true");
        talk_end(&t);
        begin(&t, CARD, EVENT_FINDING_CHANGED, true, before);
        EXPECT_INT(talk_next(&t, NULL), DEST_FINISHED);
        expect_reference(&t, NULL, false, false);
        talk_end(&t);
    }
}

static void nothing_is_said_of_a_finding_that_is_closed_and_not_known(void)
{
    struct talk t;
    begin(&t, CARD, EVENT_FINDING_CHANGED, true, (struct dest_reference){0});
    EXPECT_INT(talk_next(&t, NULL), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_NOTHING_TO_DO);
    talk_end(&t);
    begin(&t, CARD, EVENT_FINDING_NEW, true, is_closed);
    EXPECT_INT(talk_next(&t, NULL), DEST_FINISHED);
    EXPECT_INT(t.job.verdict.kind, VERDICT_NOTHING_TO_DO);
    expect_reference(&t, ID, false, false);
    talk_end(&t);
}

/* ---- lengths ---- */

static void what_does_not_fit_is_dead_before_it_is_sent(void)
{
    for (int known = 0; known < 2; known++)
        for (size_t room = 0; room < 1500; room += room < 1400 ? 7 : 1) {
            struct talk t;
            begin(&t, CARD, EVENT_FINDING_CHANGED, false, known ? is_open : (struct dest_reference){0});
            dest_body_cache_free(&t.cache);
            dest_body_cache_init(&t.cache, room);
            enum dest_next next = talk_next(&t, NULL);
            EXPECT(next == DEST_SEND ? t.request.body_size <= room : t.job.verdict.reason == REASON_TOO_LONG);
            EXPECT_INT(t.c.reference.unsure, next == DEST_SEND);
            talk_end(&t);
        }
}

UNIT_MAIN(UNIT_CASE(a_finding_is_posted_once_and_the_id_of_its_message_remembered),
          UNIT_CASE(what_may_have_been_posted_is_posted_again_while_the_finding_is_open),
          UNIT_CASE(a_post_that_fails_leaves_doubt_only_where_it_may_have_been_shown),
          UNIT_CASE(a_message_without_an_id_that_can_be_one_is_told_and_not_remembered),
          UNIT_CASE(an_edit_says_first_what_happened),
          UNIT_CASE(an_edit_shows_the_whole_finding_and_what_changed),
          UNIT_CASE(a_long_reason_is_cut_and_the_finding_still_there),
          UNIT_CASE(an_edit_keeps_the_thread_and_leaves_the_rest_of_the_address_out),
          UNIT_CASE(a_message_that_is_gone_is_forgotten), UNIT_CASE(a_key_that_is_no_id_is_not_sent),
          UNIT_CASE(nothing_is_said_of_a_finding_that_is_closed_and_not_known),
          UNIT_CASE(what_does_not_fit_is_dead_before_it_is_sent))
