#ifndef NOTIFY_BASE_UUID_H
#define NOTIFY_BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>

enum { UUID_TEXT = 37 }; /* 36 characters and the NUL */

struct uuid {
    unsigned char bytes[16];
};

/* Canonical text form only: 8-4-4-4-12 hexadecimal digits in either case (RFC 9562 section 4), nothing else.
 */
bool uuid_parse(struct uuid *out, const char *text);
/* Lower case, NUL-terminated. */
void uuid_format(const struct uuid *u, char out[UUID_TEXT]);
bool uuid_equal(const struct uuid *a, const struct uuid *b);
/* Version 4, from the operating system's random source. */
void uuid_random(struct uuid *out);

#endif
