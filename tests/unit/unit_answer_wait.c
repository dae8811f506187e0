#include "common/base/http_time.h"
#include "common/destinations/answer_wait.h"
#include "tests/unit/unit.h"

static const int64_t now_us = INT64_C(1795312800) * 1000000; /* 2026-11-22T02:00:00Z */

static void a_field_holds_seconds_or_a_time(void)
{
    static const struct {
        const char *text;
        double wait;
    } cases[] = {{"2.5", 2.5},
                 {"60", 60},
                 {"0", 0},
                 {"000000000000000000000000000000001", 0}, /* 33 digits */
                 {"999999999", HTTP_TIME_WAIT_MAX},
                 {"1795312860", 60},
                 {"1795312860.5", 60.5},
                 {"1795312800", 0},
                 {"1000000000", 0},
                 {"999999999999", HTTP_TIME_WAIT_MAX},
                 {"99999999999999999999999999999999", HTTP_TIME_WAIT_MAX},
                 {"2026-11-22T02:01Z", 60},
                 {"2026-11-22T02:00:30Z", 30},
                 {"2026-11-22T01:59Z", 0},
                 {"2026-11-22T99:99Z", 0},
                 {"2026-11-22T02:01X", 0},
                 {"2026-11-22 02:01:0Z", 0},
                 {"-1", 0},
                 {"1e9", 0},
                 {"soon", 0},
                 {"", 0},
                 {NULL, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct dest_response r = {.received_us = now_us};
        r.fields[ANSWER_RATE_RESET] = cases[i].text;
        double wait = answer_wait(&r, ANSWER_RATE_RESET);
        if (wait != cases[i].wait)
            unit_fail(__FILE__, __LINE__, "%s: %g", cases[i].text, wait);
    }
}

UNIT_MAIN(UNIT_CASE(a_field_holds_seconds_or_a_time))
