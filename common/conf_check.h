#ifndef NOTIFY_CONF_CHECK_H
#define NOTIFY_CONF_CHECK_H

#include "common/base/conf.h"

/*
 * conf_load with the checks that need more than the base modules: networks, certificates, the database's
 * connection string. This is what programs call; the promises are those of conf_load.
 */
struct conf *conf_load_checked(const char *file, struct conf_errors *errors);
/* As conf_load_checked, for a program that reads and sends: it also needs a Fernet key. */
struct conf *conf_load_for_api(const char *file, struct conf_errors *errors);
/* As conf_load_for_api, for notifyd, which also goes to the broker: it needs the files for TLS to it. */
struct conf *conf_load_for_worker(const char *file, struct conf_errors *errors);

#endif
