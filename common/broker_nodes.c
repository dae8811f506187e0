/*
 * broker_nodes - where the broker is, and who we are there
 *
 * Owns a copy of broker.url, which librabbitmq takes apart in place, and the list of nodes: the URL's first, then
 * those of broker.hosts. Opens nothing, and does not know which of them works.
 */
#include "common/broker_nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

/* "HOST:PORT" or "[IPV6]:PORT", as conf_rules.c has seen to. */
static void split(const char *text, struct broker_node *node)
{
    const char *colon = strrchr(text, ':');
    bool bracketed = text[0] == '[';
    check(colon != NULL);
    snprintf(node->host, sizeof node->host, "%.*s", (int)(colon - text) - 2 * bracketed, text + bracketed);
    node->port = atoi(colon + 1);
}

bool broker_nodes_read(struct broker_nodes *nodes, const struct conf *conf)
{
    memset(nodes, 0, sizeof *nodes);
    nodes->url = mem_strdup(conf->broker_url);
    nodes->url_size = strlen(nodes->url);
    amqp_default_connection_info(&nodes->login);
    if (amqp_parse_url(nodes->url, &nodes->login) != AMQP_STATUS_OK)
        return false;
    nodes->tls = nodes->login.ssl != 0;
    nodes->count = 1 + conf->broker_hosts.count;
    nodes->items = mem_zalloc(nodes->count * sizeof *nodes->items);
    snprintf(nodes->items[0].host, sizeof nodes->items[0].host, "%s", nodes->login.host);
    nodes->items[0].port = nodes->login.port;
    for (size_t i = 1; i < nodes->count; i++)
        split(conf->broker_hosts.items[i - 1], &nodes->items[i]);
    return true;
}

void broker_nodes_free(struct broker_nodes *nodes)
{
    if (nodes->url)
        explicit_bzero(nodes->url, nodes->url_size);
    free(nodes->url);
    free(nodes->items);
    memset(nodes, 0, sizeof *nodes);
}
