/*
 * Networks from configuration files and addresses from resolvers. Checked against what must always hold: a
 * listed network allows its own first address, listing more never allows less, and nothing inside a few
 * blocks is ever public.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/egress/address.h"
#include "tests/fuzz/address_check.h"
#include "tests/fuzz/fuzz.h"

static void make_address(struct fuzz_input *in, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    uint8_t kind = fuzz_byte(in);
    unsigned char bytes[16] = {0};
    for (int i = 0; i < 16; i++)
        bytes[i] = fuzz_byte(in);
    if (kind % 2 == 0) {
        struct sockaddr_in *a = (struct sockaddr_in *)out;
        a->sin_family = AF_INET;
        memcpy(&a->sin_addr, bytes, 4);
    } else {
        struct sockaddr_in6 *a = (struct sockaddr_in6 *)out;
        a->sin6_family = AF_INET6;
        memcpy(&a->sin6_addr, bytes, 16);
    }
}

static void check_network(const struct address_network *network)
{
    struct sockaddr_storage first = {0};
    struct address_policy policy = {(struct address_network *)network, 1};
    static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b};
    check(network->prefix >= 0 && network->prefix <= (network->family == AF_INET ? 32 : 128));
    first.ss_family = (sa_family_t)network->family;
    if (network->family == AF_INET)
        memcpy(&((struct sockaddr_in *)&first)->sin_addr, network->bytes, 4);
    else
        memcpy(&((struct sockaddr_in6 *)&first)->sin6_addr, network->bytes, 16);
    bool translated = network->family == AF_INET6 && memcmp(network->bytes, nat64, 12) == 0;
    check(translated || address_is_allowed(&policy, (struct sockaddr *)&first));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct sockaddr_storage addr;
    struct address_network network;
    struct arena a;
    const char *why = NULL;
    char text[64];
    make_address(&in, &addr);
    struct sockaddr *sa = (struct sockaddr *)&addr;
    bool is_public = address_is_public(sa);
    struct address_policy none = {NULL, 0};
    check(!(is_public && address_check_is_dangerous(sa)));
    check(address_is_allowed(&none, sa) == is_public);
    address_format(sa, text);
    check(strlen(text) < 64);
    arena_init(&a, 256);
    if (address_network_parse(&network, fuzz_text(&in, &a, NULL), &why)) {
        struct address_policy policy = {&network, 1};
        check(address_is_allowed(&policy, sa) || !is_public);
        check_network(&network);
    } else {
        check(why != NULL);
    }
    arena_free(&a);
    return 0;
}
