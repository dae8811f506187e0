#ifndef NOTIFY_BASE_HINT_H
#define NOTIFY_BASE_HINT_H

#include <stddef.h>

/*
 * "Did you mean …": how far a mistyped name is from a known one. Levenshtein's distance: insertions, removals
 * and changes of one byte. Only the first 64 bytes of each are compared.
 */
size_t hint_distance(const char *a, const char *b);
/* The greatest distance at which a known name is still worth a hint for NAME: one slip, and one more for
 * every three bytes. */
size_t hint_limit(const char *name);

#endif
