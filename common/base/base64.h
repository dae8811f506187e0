#ifndef NOTIFY_BASE_BASE64_H
#define NOTIFY_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

/* RFC 4648: section 4 is the standard alphabet ("+/"), section 5 the one for URLs and file names ("-_"). */
enum base64_alphabet { BASE64_STANDARD, BASE64_URL };

enum base64_rule {
    /* One spelling per value: full padding, unused bits zero (RFC 4648 section 3.5). */
    BASE64_CANONICAL,
    /* Padding may be missing as a whole and unused bits are ignored, as in Standard Webhooks' secrets. */
    BASE64_LENIENT,
};

/* Bytes that N characters can stand for at most: the room that base64_decode needs. */
size_t base64_decoded_max(size_t n);

/* Append the encoding of N bytes, with padding, to OUT. */
void base64_encode(enum base64_alphabet alphabet, const void *bytes, size_t n, struct buf *out);

/*
 * Decode N characters into OUT (room for base64_decoded_max(N)), the count into *OUT_N. False when a
 * character is not of the alphabet (white space is none) or the rule is broken; OUT then holds nothing of
 * use, but may hold a part: wipe it when it matters.
 */
bool base64_decode(enum base64_alphabet alphabet, enum base64_rule rule, const char *text, size_t n,
                   unsigned char *out, size_t *out_n);

#endif
