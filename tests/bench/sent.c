/*
 * sent - the moment of publishing inside an event
 *
 * Owns nothing. Found by its mark and not by parsing JSON, because it is read once per request by programs that
 * must cost next to nothing.
 */
#include "tests/bench/sent.h"

#include <string.h>
#include <time.h>

int64_t sent_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

const char *sent_find(const char *text, size_t n)
{
    const size_t mark = sizeof SENT_MARK - 1;
    const char *at = memmem(text, n, SENT_MARK, mark);
    return at && (size_t)(text + n - at) >= mark + SENT_DIGITS ? at + mark : NULL;
}

int64_t sent_read(const char *digits)
{
    uint64_t ns = 0;
    for (int i = 0; i < SENT_DIGITS; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return -1;
        ns = ns * 10 + (uint64_t)(digits[i] - '0');
    }
    return ns <= INT64_MAX ? (int64_t)ns : -1;
}

void sent_write(char *digits, int64_t ns)
{
    for (int i = SENT_DIGITS - 1; i >= 0; i--, ns /= 10)
        digits[i] = (char)('0' + ns % 10);
}
