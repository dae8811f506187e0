#ifndef NOTIFY_BASE_HINT_H
#define NOTIFY_BASE_HINT_H

#include <stddef.h>

/*
 * "Did you mean …": how far a mistyped name is from a known one: insertions, removals and changes of one byte,
 * and swaps of two neighbours. Only the first 64 bytes of each are compared.
 */
size_t hint_distance(const char *a, const char *b);
/*
 * The greatest distance at which a known name is still worth a hint for a mistyped one: one slip, and one more
 * for every three bytes when the shorter of the two has more than four; two slips in four bytes are a different
 * word.
 */
size_t hint_limit(const char *a, const char *b);

#endif
