/*
 * What is kept of an answer: a body up to its cap, the first of each field that destinations read, nothing of interim
 * answers.
 */
#include <string.h>

#include "common/egress/answer.h"
#include "tests/unit/unit.h"

static bool add_line(struct answer *a, const char *line)
{
    return answer_add_header(a, line, strlen(line));
}

static const char *field(const struct answer *a, enum dest_answer_field which)
{
    struct dest_response r = {0};
    answer_fill(a, &r);
    return r.fields[which];
}

static void fields_that_destinations_read_are_kept(void)
{
    struct answer a;
    answer_init(&a, 100, 1000);
    EXPECT(add_line(&a, "HTTP/1.1 429 Too Many Requests\r\n"));
    EXPECT(add_line(&a, "Retry-After: 7\r\n"));
    EXPECT(add_line(&a, "X-RATELIMIT-RESET:\t 1795312800 \r\n"));
    EXPECT(add_line(&a, "X-Ratelimit-Reset-After:0.5\n"));
    EXPECT(add_line(&a, "X-RateLimit-Remaining:\r\n"));
    EXPECT(add_line(&a, "Set-Cookie: retry-after: 9\r\n"));
    EXPECT(add_line(&a, "no colon at all\r\n"));
    EXPECT(add_line(&a, ": no name\r\n"));
    EXPECT(add_line(&a, "\r\n"));
    EXPECT_TEXT(field(&a, ANSWER_RETRY_AFTER), "7");
    EXPECT_TEXT(field(&a, ANSWER_RATE_RESET), "1795312800");
    EXPECT_TEXT(field(&a, ANSWER_RATE_RESET_AFTER), "0.5");
    EXPECT_TEXT(field(&a, ANSWER_RATE_REMAINING), NULL);
    EXPECT_TEXT(field(&a, ANSWER_LOCATION), NULL);
    answer_free(&a);
}

static void the_first_of_a_name_counts_however_many_there_are(void)
{
    struct answer a;
    answer_init(&a, 100, 1000000);
    EXPECT(add_line(&a, "Location: https://a.example/\r\n"));
    for (int i = 0; i < 1000; i++)
        EXPECT(add_line(&a, "Location: https://b.example/\r\n") && add_line(&a, "Retry-After: 3\r\n"));
    EXPECT_TEXT(field(&a, ANSWER_LOCATION), "https://a.example/");
    EXPECT_TEXT(field(&a, ANSWER_RETRY_AFTER), "3");
    answer_free(&a);
}

static void a_value_that_is_too_long_or_holds_a_nul_is_not_kept(void)
{
    struct answer a;
    char line[ANSWER_VALUE_MAX + 144] = "Location: ";
    answer_init(&a, 100, 10000);
    memset(line + 10, 'x', ANSWER_VALUE_MAX + 1);
    EXPECT(add_line(&a, line));
    EXPECT_TEXT(field(&a, ANSWER_LOCATION), NULL);
    EXPECT(answer_add_header(&a, "Location: a\0b", 13));
    EXPECT_TEXT(field(&a, ANSWER_LOCATION), NULL);
    line[10 + ANSWER_VALUE_MAX] = 0;
    EXPECT(add_line(&a, line));
    EXPECT_INT(strlen(field(&a, ANSWER_LOCATION)), ANSWER_VALUE_MAX);
    answer_free(&a);
}

static void an_interim_answer_leaves_no_field_behind(void)
{
    struct answer a;
    answer_init(&a, 100, 1000);
    EXPECT(add_line(&a, "HTTP/1.1 103 Early Hints\r\n") && add_line(&a, "Retry-After: 86400\r\n"));
    EXPECT(add_line(&a, "HTTP/1.1 503 Service Unavailable\r\n"));
    EXPECT_TEXT(field(&a, ANSWER_RETRY_AFTER), NULL);
    answer_free(&a);
}

static void headers_and_body_stay_within_their_caps(void)
{
    struct answer a;
    struct dest_response r = {0};
    answer_init(&a, 10, 20);
    EXPECT(add_line(&a, "0123456789012345678\n"));
    EXPECT(!a.headers_too_large && !add_line(&a, "x") && a.headers_too_large);
    EXPECT(answer_add_body(&a, "01234", 5) && answer_add_body(&a, "56789", 5));
    EXPECT(!a.cut && !answer_add_body(&a, "x", 1) && a.cut);
    answer_fill(&a, &r);
    EXPECT(r.truncated && r.body_size == 10 && memcmp(r.body, "0123456789", 11) == 0);
    answer_free(&a);
}

static void after_a_reset_the_next_answer_has_its_own_cap_and_the_memory_of_a_larger_one_is_given_back(void)
{
    static char much[100000];
    struct answer a;
    answer_init(&a, 64, 100);
    answer_reset(&a, sizeof much);
    EXPECT(answer_add_body(&a, much, sizeof much));
    answer_reset(&a, 64);
    EXPECT(a.body.cap <= 65 && a.body.len == 0 && !a.cut && a.header_bytes == 0);
    EXPECT(!answer_add_body(&a, much, 65));
    answer_free(&a);
}

UNIT_MAIN(
    UNIT_CASE(fields_that_destinations_read_are_kept),
    UNIT_CASE(the_first_of_a_name_counts_however_many_there_are),
    UNIT_CASE(a_value_that_is_too_long_or_holds_a_nul_is_not_kept),
    UNIT_CASE(an_interim_answer_leaves_no_field_behind), UNIT_CASE(headers_and_body_stay_within_their_caps),
    UNIT_CASE(after_a_reset_the_next_answer_has_its_own_cap_and_the_memory_of_a_larger_one_is_given_back))
