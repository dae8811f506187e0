/*
 * hint - the distance between a mistyped name and a known one
 *
 * For error texts that suggest what was meant. Pure and bounded: 64 times 64 steps at most.
 */
#include "common/base/hint.h"

#include <string.h>

enum { COMPARED = 64 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

size_t hint_distance(const char *a, const char *b)
{
    unsigned char d[COMPARED + 1][COMPARED + 1]; /* between the first i bytes of a and the first j of b */
    size_t a_len = strnlen(a, COMPARED), b_len = strnlen(b, COMPARED);
    for (size_t i = 0; i <= a_len; i++)
        for (size_t j = 0; j <= b_len; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = (unsigned char)(i + j);
                continue;
            }
            unsigned best = d[i - 1][j - 1] + (unsigned)(a[i - 1] != b[j - 1]);
            best = least(best, least(d[i - 1][j], d[i][j - 1]) + 1u);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = least(best, d[i - 2][j - 2] + 1u);
            d[i][j] = (unsigned char)best;
        }
    return d[a_len][b_len];
}

size_t hint_limit(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    size_t shorter = a_len < b_len ? a_len : b_len;
    return shorter > 4 ? 1 + shorter / 3 : 1;
}
