#ifndef NOTIFY_BROKER_NODES_H
#define NOTIFY_BROKER_NODES_H

#include <amqp.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/conf.h"

/* The nodes of a broker: that of broker.url, and those of broker.hosts, with one login for all. */
struct broker_nodes {
    struct amqp_connection_info login; /* user, password and vhost count; points into url */
    char *url;                         /* taken apart in place by the library */
    size_t url_size;
    struct broker_node *items;
    size_t count; /* one at least */
    bool tls;     /* amqps:// */
};

struct broker_node {
    char host[256];
    int port;
};

/* CONF has been checked, but for what only the library finds in the URL: false then. Free in either case. */
bool broker_nodes_read(struct broker_nodes *nodes, const struct conf *conf);
/* Wipes what url held. */
void broker_nodes_free(struct broker_nodes *nodes);

#endif
