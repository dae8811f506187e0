/* What a supervisor tells the one that is executed in its place. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "worker/handover.h"

static const struct handover some = {
    .pid = 4711,
    .memory = 5,
    .listen = 6,
    .listen_at = "[::1]:9464",
    .path = "/usr/sbin/notifyd with a space",
    .generation = 41,
    .wanted = 7,
    .configured = 4,
    .watchdog_us = 10000000,
    .grace_us = 30000000,
    .again = true,
};

static void write_some(struct buf *to)
{
    struct handover_child children[] = {{100, 0, 2, 41, 123456789, false, false},
                                        {101, 639, 1, 41, 987654321, true, true}};
    struct handover h = some;
    h.children = children;
    h.child_count = 2;
    buf_init(to, HANDOVER_SIZE);
    handover_write_head(to, &h);
    buf_add_text(to, "figure 18446744073709551615 messages_received{kind=\"a b\"}\n");
    handover_write_setting(to, "log.level", "debug = or so");
    handover_write_end(to);
}

static void what_is_written_is_read(void)
{
    struct buf text;
    struct handover h;
    const char *why;
    write_some(&text);
    EXPECT(handover_read(&h, text.data, text.len, &why));
    EXPECT(h.pid == 4711 && h.memory == 5 && h.listen == 6 && h.generation == 41 && h.wanted == 7 &&
           h.configured == 4);
    EXPECT(h.watchdog_us == 10000000 && h.grace_us == 30000000 && h.again);
    EXPECT_TEXT(h.path, some.path);
    EXPECT_TEXT(h.listen_at, some.listen_at);
    EXPECT_INT(h.child_count, 2);
    EXPECT(h.children[0].pid == 100 && h.children[0].role == 2 && !h.children[0].asked_to_end);
    EXPECT(h.children[1].slot == 639 && h.children[1].started_us == 987654321 &&
           h.children[1].killed_by_watchdog);
    EXPECT_INT(h.figure_count, 1);
    EXPECT(h.figures[0].value == UINT64_MAX);
    EXPECT_TEXT(h.figures[0].name, "messages_received{kind=\"a b\"}");
    EXPECT_INT(h.setting_count, 1);
    EXPECT_TEXT(h.settings[0].name, "log.level");
    EXPECT_TEXT(h.settings[0].value, "debug = or so");
    handover_free(&h);
    buf_free(&text);
}

static bool reads(const char *text)
{
    struct handover h;
    const char *why = NULL;
    bool good = handover_read(&h, text, strlen(text), &why);
    EXPECT(why && *why);
    handover_free(&h);
    return good;
}

#define BEGIN "notifyd-handover 1\n"
#define SELF  "supervisor 1 5 0 1 1 1 1 0\npath /x\n"

static void keys_of_another_build_are_left_out(void)
{
    EXPECT(reads(BEGIN SELF "end\n"));
    EXPECT(reads(BEGIN "moon full\n" SELF "tide 7 high\nend\n"));
}

static void another_version_is_refused(void)
{
    EXPECT(!reads("notifyd-handover 2\n" SELF "end\n"));
    EXPECT(!reads("notifyd-handover 10\n" SELF "end\n"));
    EXPECT(!reads(SELF "end\n"));
}

static void what_is_cut_or_doubled_is_refused(void)
{
    struct buf text;
    struct handover h;
    const char *why;
    write_some(&text);
    for (size_t n = 0; n < text.len; n += 3) {
        EXPECT(!handover_read(&h, text.data, n, &why));
        handover_free(&h);
    }
    buf_free(&text);
    EXPECT(!reads(BEGIN SELF "end\nmore\n"));
    EXPECT(!reads(BEGIN SELF SELF "end\n"));
    EXPECT(!reads(BEGIN "path /x\nend\n") && !reads(BEGIN "supervisor 1 5 0 1 1 1 1 0\nend\n"));
    EXPECT(!reads(BEGIN SELF "child 9 1 1 0 0 0 0\nchild 9 2 1 0 0 0 0\nend\n"));
    EXPECT(!reads(BEGIN SELF "child 9 1 1 0 0 0 0\nchild 8 1 1 0 0 0 0\nend\n"));
}

static void numbers_out_of_range_are_refused(void)
{
    static const char *const lines[] = {"child 0 1 1 0 0 0 0",
                                        "child -1 1 1 0 0 0 0",
                                        "child 9 -1 1 0 0 0 0",
                                        "child 9 99999 1 0 0 0 0",
                                        "child 9 1 0 0 0 0 0",
                                        "child 9 1 1 0 0 2 0",
                                        "child 9 1 1 0 0 0",
                                        "child 9 1 1 0 0 0 0 0",
                                        "child  9 1 1 0 0 0 0",
                                        "child 9 1 1 0 x 0 0",
                                        "figure -1 a",
                                        "figure 99999999999999999999 a",
                                        "figure 1 ",
                                        "figure 1",
                                        "listen -1 a",
                                        "listen 5",
                                        "listen 5 ",
                                        "setting =x",
                                        "setting a b=x",
                                        "setting nothing",
                                        "path relative",
                                        "child 99999999999999999999 1 1 0 0 0 0"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, BEGIN SELF "%s\nend\n", lines[i]);
        if (reads(text))
            unit_fail(__FILE__, __LINE__, "'%s' was read", lines[i]);
    }
}

UNIT_MAIN(UNIT_CASE(what_is_written_is_read), UNIT_CASE(keys_of_another_build_are_left_out),
          UNIT_CASE(another_version_is_refused), UNIT_CASE(what_is_cut_or_doubled_is_refused),
          UNIT_CASE(numbers_out_of_range_are_refused))
