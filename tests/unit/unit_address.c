/*
 * Which addresses may be called: every special-purpose block from its first address to its last, its
 * neighbours, wrapped IPv4, and the networks that an operator lists.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "common/egress/address.h"
#include "common/egress/url_check.h"
#include "tests/unit/unit.h"

static const struct address_policy nothing_listed = {NULL, 0};

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage out = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out;
    if (strchr(text, ':')) {
        in6->sin6_family = AF_INET6;
        if (inet_pton(AF_INET6, text, &in6->sin6_addr) != 1)
            unit_fail(__FILE__, __LINE__, "bad test address %s", text);
    } else {
        in->sin_family = AF_INET;
        if (inet_pton(AF_INET, text, &in->sin_addr) != 1)
            unit_fail(__FILE__, __LINE__, "bad test address %s", text);
    }
    return out;
}

static bool is_public(const char *text)
{
    struct sockaddr_storage a = address(text);
    bool answer = address_is_public((struct sockaddr *)&a);
    bool allowed = address_is_allowed(&nothing_listed, (struct sockaddr *)&a);
    if (answer != allowed)
        unit_fail(__FILE__, __LINE__, "%s: public %d, allowed %d", text, answer, allowed);
    return answer;
}

static void expect_refused(const char *const *texts)
{
    for (; *texts; texts++)
        if (is_public(*texts))
            unit_fail(__FILE__, __LINE__, "%s is allowed", *texts);
}

static void expect_public(const char *const *texts)
{
    for (; *texts; texts++)
        if (!is_public(*texts))
            unit_fail(__FILE__, __LINE__, "%s is refused", *texts);
}

static void special_ipv4_blocks_are_refused_from_end_to_end(void)
{
    static const char *const texts[] = {
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.0",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "169.254.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.0",
        "192.0.0.255",
        "192.0.2.0",
        "192.0.2.255",
        "192.31.196.1",
        "192.52.193.1",
        "192.88.99.0",
        "192.88.99.255",
        "192.168.0.0",
        "192.168.255.255",
        "192.175.48.1",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.0",
        "198.51.100.255",
        "203.0.113.0",
        "203.0.113.255",
        "224.0.0.0",
        "239.255.255.255",
        "240.0.0.0",
        "255.255.255.254",
        "255.255.255.255",
        NULL,
    };
    expect_refused(texts);
}

static void their_ipv4_neighbours_are_public(void)
{
    static const char *const texts[] = {
        "1.0.0.0",         "9.255.255.255",   "11.0.0.0",       "100.63.255.255",
        "100.128.0.0",     "126.255.255.255", "128.0.0.0",      "169.253.255.255",
        "169.255.0.0",     "172.15.255.255",  "172.32.0.0",     "191.255.255.255",
        "192.0.1.0",       "192.0.3.0",       "192.88.98.255",  "192.88.100.0",
        "192.167.255.255", "192.169.0.0",     "198.17.255.255", "198.20.0.0",
        "198.51.99.255",   "198.51.101.0",    "203.0.112.255",  "203.0.114.0",
        "223.255.255.255", "8.8.8.8",         "140.82.112.3",   NULL,
    };
    expect_public(texts);
}

static void special_ipv6_blocks_are_refused_from_end_to_end(void)
{
    static const char *const texts[] = {
        "::",
        "::1",
        "::2",
        "::7f00:1",
        "::808:808",
        "::ffff:0:808:808",
        "64:ff9b:1::",
        "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
        "64:ff9b:0:1::1",
        "100::",
        "100::ffff:ffff:ffff:ffff",
        "100:0:0:1::1",
        "2001::",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:1::1",
        "2001:2::1",
        "2001:3::1",
        "2001:4:112::1",
        "2001:10::1",
        "2001:20::1",
        "2001:30::1",
        "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "2002::",
        "2002:808:808::1",
        "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2620:4f:8000::1",
        "3ffe::1",
        "3fff::",
        "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
        "4000::1",
        "5f00::1",
        "8000::1",
        "fc00::",
        "fd12:3456::1",
        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "fe80::1",
        "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "fec0::1",
        "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "ff00::",
        "ff02::1",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        NULL,
    };
    expect_refused(texts);
}

static void global_unicast_ipv6_is_public(void)
{
    static const char *const texts[] = {
        "2000::1",
        "2001:200::1",
        "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db9::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2606:50c0:8000::153",
        "2620:4f:7fff:ffff::1",
        "2620:4f:8001::1",
        "2a00:1450::1",
        "3ffd:ffff::1",
        "3fff:1000::1",
        NULL,
    };
    expect_public(texts);
}

static void mapped_ipv4_is_judged_by_what_it_is(void)
{
    static const char *const refused[] = {
        "::ffff:10.0.0.1",   "::ffff:127.0.0.1", "::ffff:0.0.0.0",         "::ffff:169.254.169.254",
        "::ffff:100.64.0.1", "::ffff:7f00:1",    "::ffff:255.255.255.255", NULL};
    static const char *const fine[] = {"::ffff:8.8.8.8", "::ffff:808:808", NULL};
    expect_refused(refused);
    expect_public(fine);
}

static void translated_ipv4_is_refused_whatever_is_inside(void)
{
    static const char *const texts[] = {"64:ff9b::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8",
                                        "64:ff9b::",         "64:ff9b::ffff:ffff", NULL};
    expect_refused(texts);
}

static void other_families_are_refused(void)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/x"};
    struct sockaddr_storage none = {0};
    char text[64];
    EXPECT(!address_is_public((struct sockaddr *)&local));
    EXPECT(!address_is_allowed(&nothing_listed, (struct sockaddr *)&local));
    EXPECT(!address_is_allowed(&nothing_listed, (struct sockaddr *)&none));
    address_format((struct sockaddr *)&local, text);
    EXPECT_TEXT(text, "family 1");
}

/* ---- the operator's list ---- */

static bool allowed_with(const char *const *networks, const char *text)
{
    struct address_network list[8];
    struct address_policy policy = {list, 0};
    const char *why = NULL;
    for (; *networks; networks++)
        if (!address_network_parse(&list[policy.allowed_count++], *networks, &why))
            unit_fail(__FILE__, __LINE__, "%s %s", *networks, why);
    struct sockaddr_storage a = address(text);
    return address_is_allowed(&policy, (struct sockaddr *)&a);
}

#define LISTED(...) ((const char *const[]){__VA_ARGS__, NULL})

static void a_listed_network_is_allowed_and_nothing_beside_it(void)
{
    static const struct {
        const char *network, *address;
        bool want;
    } cases[] = {
        {"127.0.0.0/8", "127.0.0.1", true},
        {"127.0.0.0/8", "127.255.255.255", true},
        {"127.0.0.0/8", "10.0.0.1", false},
        {"127.0.0.0/8", "::1", false},
        {"127.0.0.0/8", "8.8.8.8", true},
        {"10.1.2.128/25", "10.1.2.128", true},
        {"10.1.2.128/25", "10.1.2.127", false},
        {"192.168.1.1", "192.168.1.1", true},
        {"192.168.1.1", "192.168.1.2", false},
        {"fc00::/7", "fdff::1", true},
        {"fc00::/7", "fe80::1", false},
        {"::1/128", "::1", true},
        {"0.0.0.0/0", "127.0.0.1", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "::1", true},
        {"::/0", "127.0.0.1", false},
        {"2002::/16", "2002::1", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (allowed_with(LISTED(cases[i].network), cases[i].address) != cases[i].want)
            unit_fail(__FILE__, __LINE__, "%s with %s", cases[i].address, cases[i].network);
    EXPECT(allowed_with(LISTED("10.0.0.0/8", "fc00::/7"), "fdff::1"));
    EXPECT(allowed_with(LISTED("10.0.0.0/8", "fc00::/7"), "10.0.0.1"));
}

static void a_listed_ipv4_network_covers_its_mapped_form(void)
{
    EXPECT(allowed_with(LISTED("10.0.0.0/8"), "::ffff:10.0.0.1"));
    EXPECT(!allowed_with(LISTED("10.0.0.0/8"), "::ffff:127.0.0.1"));
    EXPECT(allowed_with(LISTED("::ffff:10.0.0.0/104"), "::ffff:10.0.0.1"));
    EXPECT(!allowed_with(LISTED("::ffff:10.0.0.0/104"), "10.0.0.1"));
}

static void listing_nat64_opens_it_for_public_addresses_only(void)
{
    EXPECT(allowed_with(LISTED("64:ff9b::/96"), "64:ff9b::8.8.8.8"));
    EXPECT(!allowed_with(LISTED("64:ff9b::/96"), "64:ff9b::10.0.0.1"));
    EXPECT(allowed_with(LISTED("64:ff9b::/96", "10.0.0.0/8"), "64:ff9b::10.0.0.1"));
    EXPECT(!allowed_with(LISTED("10.0.0.0/8"), "64:ff9b::10.0.0.1"));
    EXPECT(!allowed_with(LISTED("64:ff9b::/96"), "64:ff9b:0:0:0:1:808:808"));
}

static void networks_are_written_in_one_way(void)
{
    static const char *const good[] = {"10.0.0.0/8",    "0.0.0.0/0",  "::/0",
                                       "fc00::/7",      "127.0.0.1",  "::1",
                                       "2001:db8::/32", "1.2.3.4/32", "::ffff:1.2.3.4/128"};
    static const char *const bad[] = {
        "",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/08",
        "10.0.0.0/+8",
        "10.0.0.1/8",
        "10.0.0/8",
        "10/8",
        "0x7f.0.0.1",
        "2130706433",
        "010.0.0.0/8",
        " 10.0.0.0/8",
        "10.0.0.0/8 ",
        "fc00::/129",
        "fc01::/7",
        "fe80::1%eth0",
        "localhost",
        "10.0.0.0/8/8",
        "10.0.0.0/1000",
        "10.0.0.0/-1",
        "::1/127",
        ":::/0",
        "10.0.0.128/24",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111:2222/3",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct address_network n;
        const char *why = NULL;
        if (!address_network_parse(&n, good[i], &why))
            unit_fail(__FILE__, __LINE__, "%s: %s", good[i], why);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct address_network n;
        const char *why = NULL;
        if (address_network_parse(&n, bad[i], &why) || !why)
            unit_fail(__FILE__, __LINE__, "%s was taken", bad[i]);
    }
}

static void addresses_are_printed_for_people(void)
{
    char text[64];
    struct sockaddr_storage a = address("192.0.2.1");
    address_format((struct sockaddr *)&a, text);
    EXPECT_TEXT(text, "192.0.2.1");
    a = address("2001:DB8:0::1");
    address_format((struct sockaddr *)&a, text);
    EXPECT_TEXT(text, "2001:db8::1");
}

static void a_url_that_is_not_called_is_judged_by_the_address_in_it(void)
{
    struct address_network network;
    const char *why;
    EXPECT(address_network_parse(&network, "10.1.0.0/16", &why));
    struct transfer_settings settings = {.proxy = "", .policy = {&network, 1}};
    EXPECT(url_check(&settings, "https://example.com/x") == REASON_NONE);
    EXPECT(url_check(&settings, "https://10.1.2.3:8443/x?y") == REASON_NONE);
    EXPECT(url_check(&settings, "https://10.2.0.1/") == REASON_ADDRESS_REFUSED);
    EXPECT(url_check(&settings, "https://2130706433/") == REASON_ADDRESS_REFUSED);
    EXPECT(url_check(&settings, "https://0x7f.1/") == REASON_ADDRESS_REFUSED);
    EXPECT(url_check(&settings, "https://user:pw@[::1]:1/") == REASON_ADDRESS_REFUSED);
    EXPECT(url_check(&settings, "https://[::ffff:127.0.0.1]/") == REASON_ADDRESS_REFUSED);
    EXPECT(url_check(&settings, "http://example.com/") == REASON_URL_REFUSED);
    EXPECT(url_check(&settings, "ftp://example.com/") == REASON_URL_REFUSED);
    EXPECT(url_check(&settings, "https://") == REASON_URL_REFUSED);
    EXPECT(url_check(&settings, "") == REASON_URL_REFUSED);
    settings.allow_http = true;
    EXPECT(url_check(&settings, "http://example.com/") == REASON_NONE);
    settings.proxy = "http://proxy:3128";
    EXPECT(url_check(&settings, "https://127.0.0.1/") == REASON_NONE); /* the proxy's to refuse */
}

UNIT_MAIN(UNIT_CASE(special_ipv4_blocks_are_refused_from_end_to_end),
          UNIT_CASE(their_ipv4_neighbours_are_public),
          UNIT_CASE(special_ipv6_blocks_are_refused_from_end_to_end),
          UNIT_CASE(global_unicast_ipv6_is_public), UNIT_CASE(mapped_ipv4_is_judged_by_what_it_is),
          UNIT_CASE(translated_ipv4_is_refused_whatever_is_inside), UNIT_CASE(other_families_are_refused),
          UNIT_CASE(a_listed_network_is_allowed_and_nothing_beside_it),
          UNIT_CASE(a_listed_ipv4_network_covers_its_mapped_form),
          UNIT_CASE(listing_nat64_opens_it_for_public_addresses_only),
          UNIT_CASE(networks_are_written_in_one_way), UNIT_CASE(addresses_are_printed_for_people),
          UNIT_CASE(a_url_that_is_not_called_is_judged_by_the_address_in_it))
