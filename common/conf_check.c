/*
 * conf_check - the checks of settings that need modules above base
 *
 * Runs inside conf_load, so its errors come out together with all others. Asks the module that will use a
 * setting whether it can: the address policy for networks, librabbitmq and libpq for their URLs. Opens
 * nothing but the files that are named in it, to see that they can be read. libpq's own words are not shown: they may quote
 * the password.
 */
#include "common/conf_check.h"

#include <amqp.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/conf_read.h"
#include "common/broker_tls.h"
#include "common/egress/address.h"

static void check_networks(struct conf_reader *r)
{
    const struct conf_texts *networks = &r->conf->delivery_allow_networks;
    for (size_t i = 0; i < networks->count; i++) {
        struct address_network network;
        const char *why = "";
        if (!address_network_parse(&network, networks->items[i], &why))
            conf_refuse(r, CONF_ROW_delivery_allow_networks, "%.80s: %s", networks->items[i], why);
    }
}

static void check_ca_file(struct conf_reader *r)
{
    const char *file = r->conf->delivery_ca_file;
    if (file[0] && access(file, R_OK) != 0)
        conf_refuse(r, CONF_ROW_delivery_ca_file, "%s cannot be read: %s", file, strerror(errno));
}

/* The broker's, for those who go there. */
static void check_broker_files(struct conf_reader *r)
{
    enum conf_row_id row;
    char why[256];
    if (strncmp(r->conf->broker_url, "amqps://", strlen("amqps://")) == 0 &&
        !r->refused[CONF_ROW_broker_cert_file] && !r->refused[CONF_ROW_broker_key_file] &&
        !broker_tls_check_files(r->conf, &row, why, sizeof why))
        conf_refuse(r, row, "%s", why);
}

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val ? options->val : "";
    return "";
}

/*
 * The files that libpq opens for each connection, for those who must not find out when they have given another one up.
 * Where TLS is not asked for it goes without them. sslrootcert=system is no file (libpq of 16 and later).
 */
static void check_database_files(struct conf_reader *r)
{
    static const char *const keywords[] = {"sslrootcert", "sslcert", "sslkey", "sslcrl"};
    PQconninfoOption *options = r->refused[CONF_ROW_database_url] || !r->conf->database_url[0]
                                    ? NULL
                                    : PQconninfoParse(r->conf->database_url, NULL);
    const char *mode = options ? option_of(options, "sslmode") : "";
    for (size_t i = 0; (strncmp(mode, "verify-", 7) == 0 || strcmp(mode, "require") == 0) &&
                       i < sizeof keywords / sizeof keywords[0];
         i++) {
        const char *file = option_of(options, keywords[i]);
        if (*file && strcmp(file, "system") != 0 && strncmp(file, "pkcs11:", 7) != 0 &&
            access(file, R_OK) != 0)
            conf_refuse(r, CONF_ROW_database_url, "%s: %.200s cannot be read: %s", keywords[i], file,
                        strerror(errno));
    }
    PQconninfoFree(options);
}

/* For what the checks of the table's rules let pass. */
static void check_broker_url(struct conf_reader *r)
{
    const char *url = r->conf->broker_url;
    struct amqp_connection_info where;
    if (!url[0] || r->refused[CONF_ROW_broker_url])
        return;
    char *copy = mem_strdup(url); /* taken apart in place */
    if (amqp_parse_url(copy, &where) != AMQP_STATUS_OK)
        conf_refuse(r, CONF_ROW_broker_url,
                    "cannot be read; percent-encode what is special in user, password and vhost, and look at "
                    "the port");
    explicit_bzero(copy, strlen(url));
    free(copy);
}

static void check_database_url(struct conf_reader *r)
{
    const char *url = r->conf->database_url;
    if (!url[0] || r->refused[CONF_ROW_database_url])
        return;
    char *why = NULL;
    errno = 0;
    PQconninfoOption *options = PQconninfoParse(url, &why);
    mem_check(options || errno != ENOMEM);
    if (!options)
        conf_refuse(r, CONF_ROW_database_url,
                    "libpq cannot read it; percent-encode what is special in the password, and check the "
                    "names behind ?");
    PQconninfoFree(options);
    if (why)
        explicit_bzero(why, strlen(why));
    PQfreemem(why);
}

static void check_all(struct conf_reader *r)
{
    check_networks(r);
    check_ca_file(r);
    check_broker_url(r);
    check_database_url(r);
}

struct conf *conf_load_checked(const char *file, struct conf_errors *errors)
{
    return conf_load_with(file, check_all, errors);
}

/* Without a key every delivery would be dead as config_unreadable. What is wrong with a file of keys was said
 * when it was read. */
static void check_for_api(struct conf_reader *r)
{
    check_all(r);
    if (r->conf->secrets_fernet_keys.count == 0 && !r->conf->secrets_fernet_keys_file[0])
        conf_refuse(r, CONF_ROW_secrets_fernet_keys,
                    "needed to read the settings of integrations; give it, secrets.fernet_keys_file or the "
                    "environment's FERNET_KEY");
}

struct conf *conf_load_for_api(const char *file, struct conf_errors *errors)
{
    return conf_load_with(file, check_for_api, errors);
}

static void check_for_worker(struct conf_reader *r)
{
    check_for_api(r);
    check_broker_files(r);
    check_database_files(r);
}

struct conf *conf_load_for_worker(const char *file, struct conf_errors *errors)
{
    return conf_load_with(file, check_for_worker, errors);
}
