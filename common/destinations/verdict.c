/*
 * verdict - what a status alone says about an attempt
 *
 * Pure. The table of architecture section 6: what may pass is tried again, what will not is dead at once. A
 * redirect is never followed, so it is no success. Texts are static and hold nothing of the answer.
 */
#include "common/destinations/dest.h"

static struct verdict rejected(enum reason reason, enum error_word error, const char *detail)
{
    return (struct verdict){.kind = VERDICT_REJECTED, .reason = reason, .error = error, .detail = detail};
}

static struct verdict retry(const struct dest_response *r, enum error_word error, const char *detail)
{
    return (struct verdict){
        .kind = VERDICT_RETRY, .error = error, .not_before = r->retry_after, .detail = detail};
}

static struct verdict from_transport_error(const struct dest_response *r)
{
    switch (r->error) {
    case ERROR_ADDRESS_REFUSED:
        return rejected(REASON_ADDRESS_REFUSED, r->error,
                        "the URL leads to an address that is not public; list its network in "
                        "delivery.allow_networks if it is meant");
    case ERROR_URL:
        return rejected(REASON_URL_REFUSED, r->error,
                        "the URL cannot be used; it must be https, or http where delivery.allow_http is on");
    case ERROR_REDIRECT:
        return rejected(REASON_REJECTED, r->error,
                        "the destination redirects elsewhere; put the final URL into the settings");
    default:
        return retry(r, r->error, r->error_text);
    }
}

struct verdict verdict_from_status(const struct dest_response *r)
{
    long status = r->status;
    if (r->error != ERROR_NONE)
        return from_transport_error(r);
    if (status < 200)
        return retry(r, ERROR_BAD_ANSWER, "the destination gave no final answer");
    if (status < 300)
        return (struct verdict){.kind = VERDICT_DELIVERED};
    if (status < 400)
        return rejected(REASON_REJECTED, ERROR_REDIRECT,
                        "the destination redirects elsewhere; put the final URL into the settings");
    if (status == 410)
        return rejected(REASON_GONE, ERROR_HTTP_STATUS, "the destination says that it is gone for good");
    if (status == 408)
        return retry(r, ERROR_HTTP_STATUS, "the destination timed out");
    if (status == 425 || status == 429)
        return retry(r, ERROR_HTTP_STATUS, "the destination asks to slow down");
    if (status >= 500 && status < 600)
        return retry(r, ERROR_HTTP_STATUS, "the destination has an error of its own");
    return rejected(REASON_REJECTED, ERROR_HTTP_STATUS, "the destination refuses this request");
}

struct verdict verdict_too_long(void)
{
    return rejected(REASON_TOO_LONG, ERROR_NONE, "the body would be longer than delivery.max_request");
}
