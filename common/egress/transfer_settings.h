#ifndef NOTIFY_EGRESS_TRANSFER_SETTINGS_H
#define NOTIFY_EGRESS_TRANSFER_SETTINGS_H

#include "common/base/conf.h"
#include "common/egress/transfer.h"

/* What the settings delivery.* say of requests, for whoever sends some: workers, and tests by the API and by notifyctl. */
void transfer_settings_fill(struct transfer_settings *out, const struct conf *conf);
/* CONF and the texts of it must live until then, and so must what was made of SETTINGS. */
void transfer_settings_free(struct transfer_settings *settings);

#endif
