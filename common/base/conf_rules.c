/*
 * conf_rules - the checks that one row of the table cannot express
 *
 * Form of URLs and keys, names of queues, settings that must fit together, and the two values that follow
 * from delivery.timeout unless they are set. Pure: looks at the reading, opens nothing. Adds every error it
 * finds and never quotes a secret. Checks that need modules above base are in common/conf_check.c.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/conf_read.h"
#include "common/base/fernet.h"

enum {
    QUEUE_NAME_MAX = 255, /* bytes: AMQP 0-9-1's short string */
    HOST_NAME_LIMIT = 255,
    ROLE_NAME_MAX = 63, /* bytes: PostgreSQL's NAMEDATALEN - 1 */
    OWN_CONSUMERS = 3,  /* of our own queues, all but notify.dead are consumed, too */
};

/* Seconds between the end of the longest request and the end of the grace, for settling what it gave. */
static const double grace_above_timeout = 5;

/* Names that we declare ourselves and publish into; consuming one as a producer's queue would be a loop. */
static const char *const own_queues[] = {"notify.due", "notify.bulk", "notify.urgent", "notify.wake",
                                         "notify.dead"};

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool has_blank_or_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return true;
    return false;
}

/* True for "HOST:PORT" and "[IPV6]:PORT" with a port of 0 to 65535; HOST may be empty (every address). */
static bool is_host_and_port(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (!colon || has_blank_or_control(text) || strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return false;
    size_t digits = strlen(colon + 1);
    bool bracketed = text[0] == '[' && colon > text && colon[-1] == ']';
    bool plain = memchr(text, ':', (size_t)(colon - text)) == NULL;
    return digits >= 1 && digits <= 5 && atol(colon + 1) <= 65535 && (bracketed || plain);
}

/* Is there a value, or a *_file that was to give one? */
static bool is_given(struct conf_reader *r, enum conf_row_id value, enum conf_row_id file,
                     const char *variable)
{
    if (r->where[value])
        return true;
    const char *path = *(const char **)((char *)r->conf + conf_rows[file].offset);
    if (!path[0])
        conf_refuse(r, value, "is not set; set it here, as %s, or in the environment as %s",
                    conf_rows[file].path, variable);
    return false;
}

/* What people write behind the host that librabbitmq would misunderstand or not read; NULL when it is fine. */
static const char *advise_vhost(const char *path)
{
    if (strchr(path, '?') && !strchr(path, '@')) /* else it belongs to a password that is not encoded */
        return "has options behind ?, which are not read; make them settings of their own, as "
               "broker.heartbeat, and end the URL at the virtual host";
    if (strcmp(path, "/") == 0)
        return "ends in /, which is a virtual host without a name; write /%2F for the default one, whose "
               "name "
               "is /";
    if (starts_with(path, "//"))
        return "has kombu's spelling of a virtual host that begins with /; write %2F for that /: the default "
               "one is amqp://user:password@host:5672/%2F";
    return NULL;
}

static void check_broker_url(struct conf_reader *r)
{
    const char *url = r->conf->broker_url;
    if (!is_given(r, CONF_ROW_broker_url, CONF_ROW_broker_url_file, "AMQP_URL") || !url[0])
        return;
    if (!starts_with(url, "amqp://") && !starts_with(url, "amqps://")) {
        conf_refuse(r, CONF_ROW_broker_url,
                    "must start with amqp:// or amqps://, as amqp://user:password@host:5672/vhost");
        return;
    }
    const char *host = strstr(url, "://") + strlen("://");
    size_t length = strcspn(host, "/?");
    const char *path = host + length;
    const char *at = memrchr(host, '@', length);
    if (at) {
        length -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    if (!length || host[0] == ':' || has_blank_or_control(url))
        conf_refuse(r, CONF_ROW_broker_url,
                    "names no host; write amqp://user:password@host:5672/vhost and percent-encode what is "
                    "special in the password");
    else if (advise_vhost(path))
        conf_refuse(r, CONF_ROW_broker_url, "%s", advise_vhost(path));
}

static void check_broker_hosts(struct conf_reader *r)
{
    const struct conf_texts *hosts = &r->conf->broker_hosts;
    for (size_t i = 0; i < hosts->count; i++)
        if (!is_host_and_port(hosts->items[i]) || hosts->items[i][0] == ':' ||
            strpbrk(hosts->items[i], "@/") || strlen(hosts->items[i]) > HOST_NAME_LIMIT ||
            atoi(strrchr(hosts->items[i], ':') + 1) == 0)
            conf_refuse(r, CONF_ROW_broker_hosts,
                        "name %zu must be host:port, as rabbit-2.example:5672, without user or vhost", i + 1);
}

/* What is set for TLS must be used, or who set it believes to be safe and is not. */
static void check_broker_tls(struct conf_reader *r)
{
    const struct conf *conf = r->conf;
    const struct {
        enum conf_row_id row;
        const char *file;
    } files[] = {{CONF_ROW_broker_ca_file, conf->broker_ca_file},
                 {CONF_ROW_broker_cert_file, conf->broker_cert_file},
                 {CONF_ROW_broker_key_file, conf->broker_key_file}};
    if (conf->broker_cert_file[0] && !conf->broker_key_file[0])
        conf_refuse(r, CONF_ROW_broker_cert_file, "needs broker.key_file as well");
    if (conf->broker_key_file[0] && !conf->broker_cert_file[0])
        conf_refuse(r, CONF_ROW_broker_key_file, "needs broker.cert_file as well");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (files[i].file[0] && starts_with(conf->broker_url, "amqp://"))
            conf_refuse(
                r, files[i].row,
                "is for TLS, but broker.url begins with amqp://, which is without it; write amqps://");
}

static void check_database_url(struct conf_reader *r)
{
    const char *url = r->conf->database_url;
    if (!is_given(r, CONF_ROW_database_url, CONF_ROW_database_url_file, "DATABASE_URL") || !url[0])
        return;
    if (starts_with(url, "postgresql://") || starts_with(url, "postgres://"))
        return;
    if (starts_with(url, "postgresql+") || starts_with(url, "postgres+"))
        conf_refuse(r, CONF_ROW_database_url,
                    "is in SQLAlchemy's form; leave out the driver: postgresql://user:password@host/name");
    else if (strstr(url, "://") || !strchr(url, '='))
        conf_refuse(r, CONF_ROW_database_url,
                    "must be postgresql://user:password@host/name or key=value pairs (host=... dbname=...)");
}

static void check_fernet_keys(struct conf_reader *r)
{
    const struct conf_texts *keys = &r->conf->secrets_fernet_keys;
    unsigned char key[FERNET_KEY_BYTES];
    for (size_t i = 0; i < keys->count; i++)
        if (!fernet_key_parse(keys->items[i], key))
            conf_refuse(r, CONF_ROW_secrets_fernet_keys,
                        "key %zu is not a Fernet key; it must be 32 bytes in base64, 44 characters%s", i + 1,
                        strchr(keys->items[i], ',') ? "; write one key a line, or each as a text of its own"
                                                    : "");
    explicit_bzero(key, sizeof key);
}

static bool is_own_queue(const char *name)
{
    for (size_t i = 0; i < sizeof own_queues / sizeof own_queues[0]; i++)
        if (strcmp(name, own_queues[i]) == 0)
            return true;
    return starts_with(name, "notify.delay.");
}

static void check_queues(struct conf_reader *r)
{
    const struct conf_texts *queues = &r->conf->broker_queues;
    if (!queues->count)
        conf_refuse(r, CONF_ROW_broker_queues, "is empty; name at least one queue, e.g. [\"notify\"]");
    for (size_t i = 0; i < queues->count; i++) {
        const char *name = queues->items[i];
        if (!name[0] || strlen(name) > QUEUE_NAME_MAX)
            conf_refuse(r, CONF_ROW_broker_queues, "name %zu must have 1 to %d bytes", i + 1, QUEUE_NAME_MAX);
        if (starts_with(name, "amq."))
            conf_refuse(r, CONF_ROW_broker_queues,
                        "name %zu starts with amq., which the broker keeps for "
                        "itself; choose another",
                        i + 1);
        if (is_own_queue(name))
            conf_refuse(r, CONF_ROW_broker_queues,
                        "%s is one of our own queues, which need no mention here; remove it", name);
        for (size_t j = 0; j < i; j++)
            if (strcmp(name, queues->items[j]) == 0)
                conf_refuse(r, CONF_ROW_broker_queues, "name %zu is the same as name %zu; remove one", i + 1,
                            j + 1);
    }
    if ((size_t)r->conf->broker_prefetch < queues->count + OWN_CONSUMERS)
        conf_refuse(r, CONF_ROW_broker_prefetch,
                    "is less than one for each queue: set at least %zu (broker.queues and %d more)",
                    queues->count + OWN_CONSUMERS, OWN_CONSUMERS);
}

static void check_task_names(struct conf_reader *r, enum conf_row_id row, const struct conf_texts *names)
{
    for (size_t i = 0; i < names->count; i++)
        if (!names->items[i][0] || strchr(names->items[i], '.'))
            conf_refuse(r, row, "name %zu must be the last component of a task's name, without dots", i + 1);
}

/* Timeouts that must fit together. What is not set follows delivery.timeout; what is set must fit it. */
static void check_timeouts(struct conf_reader *r)
{
    struct conf *conf = r->conf;
    double least_grace = conf->delivery_timeout + grace_above_timeout;
    if (conf->shutdown_grace < least_grace) {
        if (r->where[CONF_ROW_shutdown_grace])
            conf_refuse(r, CONF_ROW_shutdown_grace,
                        "is less than delivery.timeout + %.15g; set at least %.15g or leave it out",
                        grace_above_timeout, least_grace);
        conf->shutdown_grace = least_grace;
    }
    if (conf->delivery_connect_timeout > conf->delivery_timeout) {
        if (r->where[CONF_ROW_delivery_connect_timeout])
            conf_refuse(r, CONF_ROW_delivery_connect_timeout,
                        "is longer than delivery.timeout, which includes it; set at most %.15g",
                        conf->delivery_timeout);
        conf->delivery_connect_timeout = conf->delivery_timeout;
    }
}

static void check_addresses(struct conf_reader *r)
{
    const struct conf *conf = r->conf;
    if (conf->agent_listen[0] && !is_host_and_port(conf->agent_listen))
        conf_refuse(r, CONF_ROW_agent_listen, "must be host:port, as 127.0.0.1:9464, or empty for none");
    const char *proxy = conf->delivery_proxy;
    if (proxy[0] && (!starts_with(proxy, "http://") || !is_host_and_port(proxy + strlen("http://"))))
        conf_refuse(r, CONF_ROW_delivery_proxy, "must be http://host:port, or empty for none");
    if (strlen(conf->database_role) > ROLE_NAME_MAX)
        conf_refuse(r, CONF_ROW_database_role, "is longer than %d bytes", ROLE_NAME_MAX);
}

void conf_check_api_address(struct conf_reader *r)
{
    const char *url = r->conf->api_url;
    if (!is_host_and_port(r->conf->api_listen))
        conf_refuse(r, CONF_ROW_api_listen, "must be host:port, as 127.0.0.1:8080");
    if (url[0] && !starts_with(url, "http://") && !starts_with(url, "https://"))
        conf_refuse(r, CONF_ROW_api_url, "must start with http:// or https://, or be empty");
}

/* As a browser sends it, RFC 6454 section 6.2: scheme, host, port; lower case, no path. */
static bool is_origin(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-._:[]";
    const char *host = strstr(text, "://");
    if (!host || (!starts_with(text, "https://") && !starts_with(text, "http://")))
        return false;
    host += strlen("://");
    return host[0] && strspn(host, letters) == strlen(host);
}

static void check_api(struct conf_reader *r)
{
    const struct conf *conf = r->conf;
    const struct conf_texts *origins = &conf->api_cors_origins;
    if (conf->api_certificate_file[0] && !conf->api_key_file[0])
        conf_refuse(r, CONF_ROW_api_certificate_file, "needs api.key_file as well");
    if (conf->api_key_file[0] && !conf->api_certificate_file[0])
        conf_refuse(r, CONF_ROW_api_key_file, "needs api.certificate_file as well");
    for (size_t i = 0; i < origins->count; i++)
        if (!is_origin(origins->items[i]))
            conf_refuse(
                r, CONF_ROW_api_cors_origins,
                "origin %zu must be as https://desk.example: lower case, no path, no slash at the end",
                i + 1);
}

void conf_check_rules(struct conf_reader *r)
{
    check_broker_url(r);
    check_broker_hosts(r);
    check_broker_tls(r);
    check_database_url(r);
    check_fernet_keys(r);
    check_queues(r);
    check_task_names(r, CONF_ROW_tasks_notify_event, &r->conf->tasks_notify_event);
    check_task_names(r, CONF_ROW_tasks_notify_scan_findings, &r->conf->tasks_notify_scan_findings);
    check_timeouts(r);
    check_addresses(r);
    conf_check_api_address(r);
    check_api(r);
}
