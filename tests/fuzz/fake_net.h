#ifndef NOTIFY_TESTS_FAKE_NET_H
#define NOTIFY_TESTS_FAKE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "common/egress/transfer.h"

/*
 * A network for fuzz targets: in place of the C library's functions, for libcurl, too. Every name has the addresses that
 * are set here, and every connection to an IPv4 or IPv6 address comes here: it is refused, or is a socket at whose other
 * end the answer lies already. Nothing leaves the process.
 */
/* PATIENCE is for timeouts. Time goes by quicker here, so a busy machine may make one: it is no fault. */
enum { FAKE_NET_ADDRESSES_MAX = 4, FAKE_NET_PATIENCE_S = 10 };

struct fake_net {
    struct sockaddr_storage addresses[FAKE_NET_ADDRESSES_MAX]; /* of each name; ports do not matter */
    size_t address_count;                                      /* 0: there is no such name */
    const char *answer;                                        /* NULL: refused */
    size_t answer_size;
    void (*connecting)(const struct sockaddr *addr); /* told of each connection; may be NULL */
    size_t connections;
};
extern struct fake_net fake_net;

/* Make REQUEST with SETTINGS on this network. DONE is called once, with what came of it. */
void fake_net_transfer(const struct transfer_settings *settings, const struct dest_request *request,
                       void (*done)(struct transfer *transfer));

#endif
