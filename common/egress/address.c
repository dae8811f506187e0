/*
 * address - which addresses may be called
 *
 * Pure; the last word on every connection that leaves the product, asked with the address that the socket is
 * about to connect to. Special-purpose blocks are static tables, taken from IANA's registries
 * (iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry) with the RFC that made
 * each row. All of their rows are refused, also the few that are reachable: no receiver of notifications
 * lives in an AS112 or anycast block. For IPv6 it is the other way round besides: only 2000::/3 has been
 * given out for global unicast (RFC 4291 section 2.4), so everything else is refused, listed here or not.
 *
 * Wrapped IPv4: ::ffff:a.b.c.d is the IPv4 address, for the system connects to that; it is judged as such.
 * 64:ff9b::/96 (NAT64) is refused even with a public address inside: whether a translator stands there, and
 * what it lets through, only the operator knows, and without one it is a hole to be listed on purpose.
 * Listing the block opens it for public addresses inside (RFC 6052 section 3.1 forbids others); an inner
 * address that is not public must be listed itself. 6to4, Teredo and the rest of 2001::/23 are refused whole.
 */
#include "common/egress/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
    unsigned char bytes[16];
    int prefix;
};

static const struct block special4[] = {
    {{0}, 8},             /* this network, RFC 791 section 3.2 */
    {{10}, 8},            /* private use, RFC 1918 */
    {{100, 64}, 10},      /* shared address space of carriers, RFC 6598 */
    {{127}, 8},           /* loopback, RFC 1122 section 3.2.1.3 */
    {{169, 254}, 16},     /* link local, and clouds' metadata, RFC 3927 */
    {{172, 16}, 12},      /* private use, RFC 1918 */
    {{192, 0, 0}, 24},    /* IETF protocol assignments, RFC 6890 section 2.1 */
    {{192, 0, 2}, 24},    /* documentation, RFC 5737 */
    {{192, 31, 196}, 24}, /* AS112-v4, RFC 7535 */
    {{192, 52, 193}, 24}, /* AMT, RFC 7450 */
    {{192, 88, 99}, 24},  /* 6to4 relay anycast, deprecated, RFC 7526 */
    {{192, 168}, 16},     /* private use, RFC 1918 */
    {{192, 175, 48}, 24}, /* direct delegation AS112, RFC 7534 */
    {{198, 18}, 15},      /* benchmarking, RFC 2544 */
    {{198, 51, 100}, 24}, /* documentation, RFC 5737 */
    {{203, 0, 113}, 24},  /* documentation, RFC 5737 */
    {{224}, 4},           /* multicast, RFC 5771 */
    {{240}, 4},           /* reserved, RFC 1112 section 4; with 255.255.255.255, RFC 8190 */
};

static const struct block special6[] = {
    {{0}, 128},                                              /* unspecified, RFC 4291 */
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128}, /* loopback, RFC 4291 */
    {{0}, 96},                                  /* IPv4-compatible, deprecated, RFC 4291 section 2.5.5.1 */
    {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, /* IPv4-translated, RFC 2765 section 2.1 */
    {{0, 0x64, 0xff, 0x9b}, 96},                /* NAT64, well known, RFC 6052 */
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48},          /* NAT64, local use, RFC 8215 */
    {{0x01}, 64},                               /* discard only, RFC 6666 */
    {{0x01, 0, 0, 0, 0, 0, 0, 1}, 64},          /* dummy prefix, RFC 9780 */
    {{0x20, 0x01}, 23},                         /* IETF assignments, Teredo, ORCHID, DET, RFC 2928 */
    {{0x20, 0x01, 0x0d, 0xb8}, 32},             /* documentation, RFC 3849 */
    {{0x20, 0x02}, 16},                         /* 6to4, RFC 3056 */
    {{0x26, 0x20, 0, 0x4f, 0x80}, 48},          /* direct delegation AS112, RFC 7534 */
    {{0x3f, 0xfe}, 16},                         /* 6bone, given back, RFC 3701 */
    {{0x3f, 0xff}, 20},                         /* documentation, RFC 9637 */
    {{0x5f}, 16},                               /* segment routing SIDs, RFC 9602 */
    {{0xfc}, 7},                                /* unique local, RFC 4193 */
    {{0xfe, 0x80}, 10},                         /* link local, RFC 4291 */
    {{0xfe, 0xc0}, 10},                         /* site local, deprecated, RFC 3879 */
    {{0xff}, 8},                                /* multicast, RFC 4291 section 2.7 */
};

static const struct block mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}; /* RFC 4291 2.5.5.2 */
static const struct block nat64 = {{0, 0x64, 0xff, 0x9b}, 96};
static const struct block global_unicast = {{0x20}, 3};

static bool same_prefix(const unsigned char *a, const unsigned char *b, int bits)
{
    size_t whole = (size_t)bits / 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    int rest = bits % 8;
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

static bool in_block(const unsigned char *bytes, const struct block *block)
{
    return same_prefix(bytes, block->bytes, block->prefix);
}

static bool in_table(const unsigned char *bytes, const struct block *table, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (in_block(bytes, &table[i]))
            return true;
    return false;
}

static bool is_public4(const unsigned char *bytes)
{
    return !in_table(bytes, special4, sizeof special4 / sizeof special4[0]);
}

static bool is_public6(const unsigned char *bytes)
{
    if (in_block(bytes, &mapped))
        return is_public4(bytes + 12);
    return in_block(bytes, &global_unicast) &&
           !in_table(bytes, special6, sizeof special6 / sizeof special6[0]);
}

/* The bytes of an address, NULL for another family than IPv4 and IPv6. Borrowed from ADDR. */
static const unsigned char *bytes_of(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET)
        return (const unsigned char *)&((const struct sockaddr_in *)(const void *)addr)->sin_addr;
    if (addr->sa_family == AF_INET6)
        return (const unsigned char *)&((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
    return NULL;
}

bool address_is_public(const struct sockaddr *addr)
{
    const unsigned char *bytes = bytes_of(addr);
    if (!bytes)
        return false;
    return addr->sa_family == AF_INET ? is_public4(bytes) : is_public6(bytes);
}

static bool is_listed(const struct address_policy *policy, int family, const unsigned char *bytes)
{
    for (size_t i = 0; i < policy->allowed_count; i++) {
        const struct address_network *n = &policy->allowed[i];
        if (n->family == family && same_prefix(bytes, n->bytes, n->prefix))
            return true;
    }
    return false;
}

static bool is_allowed4(const struct address_policy *policy, const unsigned char *bytes)
{
    return is_public4(bytes) || is_listed(policy, AF_INET, bytes);
}

bool address_is_allowed(const struct address_policy *policy, const struct sockaddr *addr)
{
    const unsigned char *bytes = bytes_of(addr);
    if (!bytes)
        return false;
    if (addr->sa_family == AF_INET)
        return is_allowed4(policy, bytes);
    bool listed = is_listed(policy, AF_INET6, bytes);
    if (in_block(bytes, &mapped))
        return listed || is_allowed4(policy, bytes + 12);
    if (in_block(bytes, &nat64))
        return listed && is_allowed4(policy, bytes + 12);
    return listed || is_public6(bytes);
}

static bool parse_prefix(const char *text, int max, int *out)
{
    size_t n = strlen(text);
    if (n == 0 || n > 3 || strspn(text, "0123456789") != n || (n > 1 && text[0] == '0'))
        return false;
    *out = atoi(text);
    return *out <= max;
}

static bool host_bits_are_zero(const struct address_network *n, int size)
{
    for (int bit = n->prefix; bit < 8 * size; bit++)
        if (n->bytes[bit / 8] & 0x80 >> bit % 8)
            return false;
    return true;
}

bool address_network_parse(struct address_network *out, const char *text, const char **why)
{
    char address[INET6_ADDRSTRLEN];
    size_t n = strcspn(text, "/");
    memset(out, 0, sizeof *out);
    if (n >= sizeof address) {
        *why = "is no IP address; write it like 10.0.0.0/8 or fc00::/7";
        return false;
    }
    memcpy(address, text, n);
    address[n] = 0;
    out->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    int size = out->family == AF_INET ? 4 : 16;
    if (inet_pton(out->family, address, out->bytes) != 1) {
        *why = "is no IP address; write it like 10.0.0.0/8 or fc00::/7";
        return false;
    }
    out->prefix = 8 * size;
    if (text[n] == '/' && !parse_prefix(text + n + 1, 8 * size, &out->prefix)) {
        *why = "has a wrong prefix length; at most 32 for IPv4 and 128 for IPv6";
        return false;
    }
    if (!host_bits_are_zero(out, size)) {
        *why = "has bits set behind its prefix; write the network's first address";
        return false;
    }
    return true;
}

void address_format(const struct sockaddr *addr, char out[64])
{
    const unsigned char *bytes = bytes_of(addr);
    if (!bytes || !inet_ntop(addr->sa_family, bytes, out, 64))
        snprintf(out, 64, "family %d", addr->sa_family);
}
