/*
 * url_check - the policy of addresses for a URL that is not called
 *
 * Pure. Read by curl, as a request's URL is, so that a spelling (http://2130706433/) means the same address here and there. What
 * transfer.c refuses when it opens a socket stays the only gate; this is for what is shown, and lets through what needs a look-up.
 */
#include "common/egress/url_check.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>

#include "common/base/check.h"

static bool is_address(const char *host, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    char bare[INET6_ADDRSTRLEN];
    size_t n = strlen(host);
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        return true;
    }
    if (host[0] != '[' || n < 2 || n - 2 >= sizeof bare)
        return false;
    memcpy(bare, host + 1, n - 2);
    bare[n - 2] = 0;
    v6->sin6_family = AF_INET6;
    return inet_pton(AF_INET6, bare, &v6->sin6_addr) == 1;
}

static enum reason judge(const struct transfer_settings *settings, const char *scheme, const char *host)
{
    struct sockaddr_storage address;
    if (strcmp(scheme, "https") != 0 && (strcmp(scheme, "http") != 0 || !settings->allow_http))
        return REASON_URL_REFUSED;
    /* A proxy connects for us; the operator chose it, and it has rules of its own. */
    if (!*settings->proxy && is_address(host, &address) &&
        !address_is_allowed(&settings->policy, (struct sockaddr *)&address))
        return REASON_ADDRESS_REFUSED;
    return REASON_NONE;
}

enum reason url_check(const struct transfer_settings *settings, const char *url)
{
    char *scheme = NULL, *host = NULL;
    enum reason reason = REASON_URL_REFUSED;
    CURLU *parts = curl_url();
    mem_check(parts);
    if (curl_url_set(parts, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
        reason = judge(settings, scheme, host);
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return reason;
}
