#ifndef NOTIFY_EGRESS_URL_CHECK_H
#define NOTIFY_EGRESS_URL_CHECK_H

#include "common/egress/transfer.h"
#include "common/model/words.h"

/*
 * Whether a request to URL would be let go, as far as that can be said without asking anybody: REASON_NONE, REASON_URL_REFUSED
 * or REASON_ADDRESS_REFUSED. Names are not looked up: what they lead to is judged when a request is sent.
 */
enum reason url_check(const struct transfer_settings *settings, const char *url);

#endif
