/*
 * transfer_settings - from the configuration to what transfer needs
 *
 * One place, so that a test is held to what holds for a delivery: the same networks, the same authorities, the same limits.
 */
#include "common/egress/transfer_settings.h"

#include <stdlib.h>

#include "common/base/check.h"

static void fill_policy(struct address_policy *policy, const struct conf_texts *list)
{
    policy->allowed = mem_zalloc((list->count + 1) * sizeof *policy->allowed);
    for (size_t i = 0; i < list->count; i++) {
        const char *why = NULL;
        check(address_network_parse(&policy->allowed[i], list->items[i], &why)); /* checked with the file */
    }
    policy->allowed_count = list->count;
}

void transfer_settings_fill(struct transfer_settings *out, const struct conf *conf)
{
    *out = (struct transfer_settings){
        .timeout_s = conf->delivery_timeout,
        .connect_timeout_s = conf->delivery_connect_timeout,
        .max_response = (size_t)conf->delivery_max_response,
        .max_headers = (size_t)conf->delivery_max_headers,
        .idle_connections = conf->delivery_idle_connections,
        .allow_http = conf->delivery_allow_http,
        .ca_file = conf->delivery_ca_file,
        .proxy = conf->delivery_proxy,
    };
    fill_policy(&out->policy, &conf->delivery_allow_networks);
}

void transfer_settings_free(struct transfer_settings *settings)
{
    free(settings->policy.allowed);
    settings->policy.allowed = NULL;
}
