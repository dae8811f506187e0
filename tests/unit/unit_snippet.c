/* What is kept of an answer, without the secrets that it repeats. */
#include <string.h>

#include "common/egress/snippet.h"
#include "tests/unit/unit.h"

static size_t take(char out[SNIPPET_MAX], const char *url, const char *header, const char *value,
                   const char *body)
{
    struct dest_request request = {.url = url};
    struct dest_response response = {.body = body, .body_size = strlen(body)};
    if (header)
        request.headers[request.header_count++] = (struct dest_header){header, value};
    return snippet_take(out, &request, &response);
}

#define EXPECT_SNIPPET(url, header, value, body, wanted)                                                     \
    do {                                                                                                     \
        char got[SNIPPET_MAX];                                                                               \
        size_t n = take(got, url, header, value, body);                                                      \
        EXPECT(n == strlen(wanted) && memcmp(got, wanted, n) == 0);                                          \
    } while (0)

static void an_answer_is_kept_as_it_is(void)
{
    EXPECT_SNIPPET("https://a.example/hook", NULL, NULL, "no such channel", "no such channel");
    EXPECT_SNIPPET("https://a.example", NULL, NULL, "", "");
}

static void pieces_of_the_path_and_the_query_become_stars(void)
{
    EXPECT_SNIPPET("https://a.example/T012345678/s3cr3tT0ken", NULL, NULL,
                   "Cannot POST /T012345678/s3cr3tT0ken!", "Cannot POST /**********/***********!");
    EXPECT_SNIPPET("https://a.example/x?sig=0123456789abcdef&v=1", NULL, NULL,
                   "x?sig=0123456789abcdef&amp;v=1", "x?sig=****************&amp;v=1");
    EXPECT_SNIPPET("https://a.example?token=verysecret", NULL, NULL, "verysecretverysecret",
                   "********************");
}

static void words_of_headers_become_stars_but_not_those_of_our_own(void)
{
    EXPECT_SNIPPET("https://a.example/", "Authorization", "Bearer abcdefgh12345", "bad token abcdefgh12345",
                   "bad token *************");
    EXPECT_SNIPPET("https://a.example/", "Content-Type", "application/json",
                   "want application/xml, got application/json",
                   "want application/xml, got application/json");
}

static void the_password_of_basic_credentials_becomes_stars(void)
{
    /* bot@acme.example:s3cr3t:api-token */
    static const char basic[] = "Basic Ym90QGFjbWUuZXhhbXBsZTpzM2NyM3Q6YXBpLXRva2Vu";
    EXPECT_SNIPPET("https://a.example/", "Authorization", basic,
                   "bot@acme.example: s3cr3t:api-token is wrong",
                   "bot@acme.example: **************** is wrong");
    EXPECT_SNIPPET("https://a.example/", "Authorization",
                   "Basic Ym90QGFjbWUuZXhhbXBsZQ==", "bot@acme.example", "bot@acme.example");
    EXPECT_SNIPPET("https://a.example/", "Authorization", "Basic !!!!", "no", "no");
}

static void a_name_and_a_password_before_the_host_become_stars_however_they_are_said(void)
{
    static const char url[] = "https://longuser:secretpass@a.example/x";
    EXPECT_SNIPPET(url, NULL, NULL, "longuser:secretpass@a.example", "********:**********@a.example");
    /* As curl sends it: base64 of longuser:secretpass. */
    EXPECT_SNIPPET(url, NULL, NULL, "Authorization: Basic bG9uZ3VzZXI6c2VjcmV0cGFzcw==.",
                   "Authorization: Basic ****************************.");
    EXPECT_SNIPPET("https://a:b%40c%2Fd%65efghij@a.example?x", NULL, NULL, "b@c/deefghij b%40c%2Fd%65efghij",
                   "************ ******************");
    EXPECT_SNIPPET("https://s3cr3t-token@a.example", NULL, NULL,
                   "s3cr3t-token czNjcjN0LXRva2VuOg==", "************ ********************");
    EXPECT_SNIPPET("https://us:pass%@a.example/", NULL, NULL, "dXM6cGFzcyU=", "************");
    EXPECT_SNIPPET("https://a.example/u@verysecret", NULL, NULL, "a.example u@verysecret",
                   "a.example ************");
}

static void the_secret_of_a_body_becomes_stars(void)
{
    static const char key[] = "0123456789abcdef";
    struct dest_request request = {.url = "https://a.example/", .body = "{}", .body_secret = key};
    struct dest_response response = {.body = "no 0123456789abcdef here", .body_size = 24};
    char got[SNIPPET_MAX];
    EXPECT_INT(snippet_take(got, &request, &response), 24);
    EXPECT(memcmp(got, "no **************** here", 24) == 0);
}

static void a_secret_at_the_cut_leaves_no_part_of_itself(void)
{
    char body[2 * SNIPPET_MAX], got[SNIPPET_MAX];
    memset(body, '.', sizeof body);
    body[sizeof body - 1] = 0;
    memcpy(body + SNIPPET_MAX - 9, "s3cr3tT0ken", 11);
    EXPECT(take(got, "https://a.example/s3cr3tT0ken", NULL, NULL, body) == SNIPPET_MAX);
    EXPECT(memcmp(got + SNIPPET_MAX - 10, ".*********", 10) == 0);
}

UNIT_MAIN(UNIT_CASE(an_answer_is_kept_as_it_is), UNIT_CASE(pieces_of_the_path_and_the_query_become_stars),
          UNIT_CASE(words_of_headers_become_stars_but_not_those_of_our_own),
          UNIT_CASE(the_password_of_basic_credentials_becomes_stars),
          UNIT_CASE(a_name_and_a_password_before_the_host_become_stars_however_they_are_said),
          UNIT_CASE(the_secret_of_a_body_becomes_stars),
          UNIT_CASE(a_secret_at_the_cut_leaves_no_part_of_itself))
