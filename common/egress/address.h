#ifndef NOTIFY_EGRESS_ADDRESS_H
#define NOTIFY_EGRESS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/*
 * Which addresses may be called. An address is public unless it lies in a special-purpose block of the IANA
 * registries (RFC 6890 and its updates); IPv4 addresses wrapped in IPv6 (mapped, NAT64, 6to4, Teredo) are
 * judged by what they carry AND refused as wrappers where the wrapper itself is special. A network that the
 * operator lists is allowed, whatever it is; but listing NAT64's 64:ff9b::/96 opens it only for the IPv4
 * addresses that are allowed themselves.
 */
struct address_network {
    int family;              /* AF_INET or AF_INET6 */
    unsigned char bytes[16]; /* network byte order; 4 of them for IPv4 */
    int prefix;              /* leading bits that count */
};

struct address_policy {
    struct address_network *allowed;
    size_t allowed_count;
};

/* "10.0.0.0/8", "fc00::/7", "127.0.0.1"; false with static advice in *WHY. Host bits must be zero. */
bool address_network_parse(struct address_network *out, const char *text, const char **why);
/* True when ADDR (AF_INET or AF_INET6) may be connected to. Any other family: false. */
bool address_is_allowed(const struct address_policy *policy, const struct sockaddr *addr);
/* True when ADDR is a public unicast address. */
bool address_is_public(const struct sockaddr *addr);
/* "192.0.2.1" or "2001:db8::1"; OUT has room for 64. */
void address_format(const struct sockaddr *addr, char out[64]);

#endif
