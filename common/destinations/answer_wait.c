/*
 * answer_wait - how long an answer asks to wait in a header of the vendor's own
 *
 * Pure. Some say a time where Retry-After says a duration; what is obeyed of it is a setting's business.
 */
#include "common/destinations/answer_wait.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/http_time.h"
#include "common/base/iso8601.h"

enum { NUMBER_MAX = 32, DECADES_S = 1000000000, WITHOUT_SECONDS = 17 /* "2026-11-22T02:00Z" */ };

static double until(double unix_s, const struct dest_response *answer)
{
    return unix_s - (double)answer->received_us / 1e6;
}

static bool parse_time(const char *text, size_t n, int64_t *unix_us)
{
    char whole[ISO8601_TEXT];
    if (n != WITHOUT_SECONDS || text[n - 1] != 'Z')
        return iso8601_parse(text, n, unix_us);
    memcpy(whole, text, n - 1);
    memcpy(whole + n - 1, ":00Z", sizeof ":00Z");
    return iso8601_parse(whole, strlen(whole), unix_us);
}

double answer_wait(const struct dest_response *answer, enum dest_answer_field field)
{
    const char *text = answer->fields[field];
    size_t n = text ? strlen(text) : 0;
    double wait = 0;
    int64_t unix_us;
    if (n > 0 && n <= NUMBER_MAX && strspn(text, "0123456789.") == n) {
        wait = strtod(text, NULL);
        if (wait >= DECADES_S)
            wait = until(wait, answer);
    } else if (n > 0 && parse_time(text, n, &unix_us)) {
        wait = until((double)unix_us / 1e6, answer);
    }
    if (wait < 0)
        return 0;
    return wait < HTTP_TIME_WAIT_MAX ? wait : HTTP_TIME_WAIT_MAX;
}
