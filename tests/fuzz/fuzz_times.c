/*
 * Times from messages and answers: whatever is read is in range, and what is written is read back.
 */
#include "common/base/http_time.h"
#include "common/base/iso8601.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    int64_t now = 0, us = 0, again = 0;
    for (int i = 0; i < 8; i++)
        now = (int64_t)((uint64_t)now << 8 | fuzz_byte(&in));
    char *text = mem_dup(in.data, in.size), written[ISO8601_TEXT];
    double wait = http_time_retry_after(text, in.size, now);
    check(wait >= 0 && wait <= HTTP_TIME_WAIT_MAX);
    if (iso8601_parse(text, in.size, &us)) {
        /* Offsets may lead a day out of the years that are written. */
        check(us >= INT64_C(-62135683200000000) && us <= INT64_C(253402387200000000));
        iso8601_format(us, written);
        check(iso8601_parse(written, ISO8601_TEXT - 1, &again));
        int64_t second = INT64_C(1000000), low = INT64_C(-62135596800) * second;
        if (us >= low && us < INT64_C(253402300800) * second)
            check(again == us - (us % 1000 + 1000) % 1000);
    }
    iso8601_format(now, written);
    check(strlen(written) == ISO8601_TEXT - 1 && iso8601_parse(written, ISO8601_TEXT - 1, &again));
    free(text);
    return 0;
}
