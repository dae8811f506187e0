/*
 * A message that is too long loses its least important parts, as many as must go, and says which.
 */
#include <string.h>

#include "common/destinations/message_fit.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

/* The labels that are shown, each as if with a long text, then what was left out. */
static void lay(const struct message *m, const char *left_out, int layout, struct buf *out)
{
    EXPECT_INT(layout, 2);
    for (size_t i = 0; i < m->count; i++)
        if (!m->parts[i].detail && !m->parts[i].dropped)
            buf_printf(out, "%s.......... ", m->parts[i].label);
    buf_add_text(out, left_out ? left_out : "");
}

static void expect_fitted(size_t max, const char *want)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    struct buf out;
    event.type = EVENT_FINDING_NEW;
    buf_init(&out, 1000);
    buf_add_text(&out, "[");
    message_fit(&event, &facts, lay, 2, max, &out);
    EXPECT_TEXT(buf_text(&out), want);
    buf_free(&out);
}

static void the_least_important_parts_go_first_and_are_named(void)
{
    static const char all[] =
        "[Severity.......... Closed.......... Target.......... Endpoint.......... Parameter.......... "
        "Category.......... "
        "OWASP.......... CWE.......... Status.......... EPSS.......... Exploited.......... "
        "Description.......... Remediation.......... ";
    static const char fewer[] = "[Severity.......... Closed.......... Target.......... Endpoint.......... "
                                "Parameter.......... Category.......... "
                                "OWASP.......... CWE.......... Status.......... Exploited.......... "
                                "Left out for length: EPSS, Description, Remediation";
    expect_fitted(1000, all);
    expect_fitted(sizeof all - 2, all);
    expect_fitted(sizeof all - 3, fewer);
    expect_fitted(sizeof fewer - 2, fewer);
    expect_fitted(153,
                  "[Severity.......... Left out for length: Closed, Target, Endpoint, Parameter, Category, "
                  "OWASP, CWE, Status, EPSS, Exploited, Description, Remediation");
}

static void what_never_fits_is_not_sent_in_part(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    struct buf out;
    buf_init(&out, 1000);
    buf_add_text(&out, "[");
    message_fit(&event, &facts, lay, 2, 20, &out);
    EXPECT(out.overflow && out.len == 1);
    buf_free(&out);
}

static void a_message_for_which_the_body_has_no_room_is_not_sent_in_part(void)
{
    struct facts facts = talk_facts();
    struct event event = talk_event();
    struct buf out;
    buf_init(&out, 20);
    buf_add_text(&out, "[");
    message_fit(&event, &facts, lay, 2, 1000, &out);
    EXPECT(out.overflow && out.len == 1);
    buf_free(&out);
}

UNIT_MAIN(UNIT_CASE(the_least_important_parts_go_first_and_are_named),
          UNIT_CASE(what_never_fits_is_not_sent_in_part),
          UNIT_CASE(a_message_for_which_the_body_has_no_room_is_not_sent_in_part))
