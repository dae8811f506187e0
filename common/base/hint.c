/*
 * hint - the distance between a mistyped name and a known one
 *
 * For error texts that suggest what was meant. Pure and bounded: 64 times 64 steps at most.
 */
#include "common/base/hint.h"

#include <string.h>

enum { COMPARED = 64 };

size_t hint_distance(const char *a, const char *b)
{
    size_t row[COMPARED + 1];
    size_t a_len = strnlen(a, COMPARED), b_len = strnlen(b, COMPARED);
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            size_t drop = row[j] + 1, add = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = change < drop ? change : drop;
            row[j] = row[j] < add ? row[j] : add;
        }
    }
    return row[b_len];
}

size_t hint_limit(const char *name)
{
    return 1 + strlen(name) / 3;
}
