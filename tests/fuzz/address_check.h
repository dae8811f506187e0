#ifndef NOTIFY_TESTS_ADDRESS_CHECK_H
#define NOTIFY_TESTS_ADDRESS_CHECK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

/* True for an address that must never count as public: address.c's judgement, written down a second time for the blocks
 * that matter most. */
static inline bool address_check_is_dangerous(const struct sockaddr *addr)
{
    const unsigned char *b = (const unsigned char *)&((const struct sockaddr_in *)addr)->sin_addr;
    if (addr->sa_family == AF_INET6) {
        b = (const unsigned char *)&((const struct sockaddr_in6 *)addr)->sin6_addr;
        static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        if (memcmp(b, mapped, 12) != 0)
            return (b[0] & 0xe0) != 0x20 || (b[0] == 0x20 && (b[1] == 2 || (b[1] == 1 && b[2] < 2)));
        b += 12;
    }
    return b[0] == 0 || b[0] == 10 || b[0] == 127 || b[0] >= 224 || (b[0] == 100 && (b[1] & 0xc0) == 64) ||
           (b[0] == 169 && b[1] == 254) || (b[0] == 172 && (b[1] & 0xf0) == 16) ||
           (b[0] == 192 && b[1] == 168);
}

#endif
