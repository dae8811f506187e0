#ifndef NOTIFY_BASE_UTF8_H
#define NOTIFY_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/*
 * Length in bytes (1 to 4) of the well-formed UTF-8 sequence at TEXT, which has N bytes; 0 when there is
 * none. Table 3-7 of the Unicode Standard: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
size_t utf8_length_at(const char *text, size_t n);
/* True when all N bytes are well-formed and none is NUL (PostgreSQL's text cannot hold NUL). */
bool utf8_is_storable(const char *text, size_t n);
/*
 * A NUL-terminated copy in the arena that PostgreSQL can store: each invalid byte and each NUL becomes
 * U+FFFD. Never longer than MAX bytes: what is longer is cut between code points and ends in U+2026.
 * MAX must be at least 4.
 */
char *utf8_storable_copy(struct arena *a, const char *text, size_t n, size_t max);

#endif
