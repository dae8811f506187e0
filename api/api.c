/*
 * api - notify-api: one process, one loop
 *
 * Owns the loop and what stands on it: the server, the tokens, the connections to the database. TERM and INT let what has begun
 * end, for shutdown_grace at most; a second one, and QUIT, end it at once. State lives in the database only, so any
 * number may run.
 */
#include "api/api.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "api/rest/rest.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/log_limit.h"
#include "common/libraries.h"
#include "common/log_loop.h"

enum { EXIT_BAD_CONFIGURATION = 78, LOOK_MS = 50, FILE_MAX = 1 << 20, OTHER_DESCRIPTORS = 128 };

struct api {
    const struct conf *conf;
    struct event_base *base;
    struct dialer *dialer;
    struct auth *auth;
    struct calls *calls;
    struct trials *trials;
    struct fernet_keys keys;
    struct rest *rest;
    struct http_server *server;
    char *certificate, *key; /* PEM; NULL: no TLS */
    struct event *term, *interrupt, *quit, *look;
    struct log_loop *log;
    int64_t ends_us; /* at the latest; 0: nobody asked */
};

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    struct api *a = arg;
    (void)fd;
    (void)what;
    if (http_server_connections(a->server) == 0 || clock_mono_us() > a->ends_us)
        event_base_loopbreak(a->base);
}

static void on_end(evutil_socket_t number, short what, void *arg)
{
    struct api *a = arg;
    struct timeval tv = {0, LOOK_MS * 1000};
    (void)what;
    if (number == SIGQUIT || a->ends_us) {
        event_base_loopbreak(a->base);
        return;
    }
    LOG(LOG_INFO, "api_draining", LOG_NUM("connections", http_server_connections(a->server)));
    a->ends_us = clock_mono_us() + clock_us(a->conf->shutdown_grace);
    http_server_stop(a->server);
    event_add(a->look, &tv);
}

static struct event *watch_signal(struct api *a, int number)
{
    struct event *e = evsignal_new(a->base, number, on_end, a);
    mem_check(event_add(e, NULL) == 0);
    return e;
}

/*
 * How many clients there may be at a time: api.connections, or as many as there are descriptors for. Shells and service managers
 * give 1024 and let a program take more.
 */
static size_t room(const struct conf *conf)
{
    struct rlimit limit;
    rlim_t others = OTHER_DESCRIPTORS + (rlim_t)conf->api_database_connections,
           wanted = (rlim_t)conf->api_connections + others;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return (size_t)conf->api_connections;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur == wanted)
        return (size_t)conf->api_connections;
    rlim_t left = limit.rlim_cur > others ? limit.rlim_cur - others : 1;
    LOG(LOG_WARN, "api_few_descriptors", LOG_NUM("limit", limit.rlim_cur), LOG_NUM("connections", left),
        LOG_TEXT("advice",
                 "fewer clients at a time than api.connections says; raise LimitNOFILE (ulimit -n)"));
    return (size_t)left;
}

/* "127.0.0.1:8080", "[::1]:8080"; its form is checked with the configuration. */
static bool listen_at(struct api *a)
{
    char host[64], why[128];
    const char *listen = a->conf->api_listen, *colon = strrchr(listen, ':'),
               *start = listen + (*listen == '[');
    snprintf(host, sizeof host, "%.*s", (int)(colon - start - (*listen == '[')), start);
    struct http_settings settings = {
        .host = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
        .port = atoi(colon + 1),
        .connections = room(a->conf),
        .header_bytes = (size_t)a->conf->api_header_bytes,
        .body_bytes = (size_t)a->conf->api_body_bytes,
        .patience_s = a->conf->api_patience,
        .certificate = a->certificate,
        .key = a->key,
        .origins = (const char *const *)a->conf->api_cors_origins.items,
        .origin_count = a->conf->api_cors_origins.count,
        .handle = rest_handle,
        .answered = rest_answered,
        .owner = a->rest,
    };
    a->server = http_server_new(a->base, &settings, why, sizeof why);
    if (a->server)
        LOG(LOG_INFO, "api_listening", LOG_TEXT("host", host), LOG_NUM("port", http_server_port(a->server)),
            LOG_TEXT("tls", a->key ? "yes" : "no"));
    else
        LOG(LOG_ERROR, "api_cannot_listen", LOG_TEXT("host", host), LOG_NUM("port", settings.port),
            LOG_TEXT("reason", why),
            LOG_TEXT("advice", a->key ? "set api.listen to a free address of this host, and look whether "
                                        "api.key_file belongs to api.certificate_file"
                                      : "set api.listen to a free address of this host"));
    return a->server != NULL;
}

/* The text of a file of the settings; NULL: it was logged what is wrong with it. The caller frees it. */
static char *read_text(const char *setting, const char *path)
{
    char *text = mem_zalloc(FILE_MAX + 1);
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, FILE_MAX, file) : 0;
    if (!file || ferror(file) || n == 0 || n == FILE_MAX) {
        LOG(LOG_ERROR, "api_cannot_read", LOG_TEXT("setting", setting), LOG_TEXT("file", path),
            LOG_TEXT("reason", !file || ferror(file) ? strerror(errno)
                               : n == 0              ? "it is empty"
                                                     : "it is too large"),
            LOG_TEXT("advice", "the account that runs notify-api must be able to read it"));
        explicit_bzero(text, n);
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    return text;
}

static bool read_tls(struct api *a)
{
    if (!a->conf->api_key_file[0])
        return true;
    a->certificate = read_text("api.certificate_file", a->conf->api_certificate_file);
    a->key = read_text("api.key_file", a->conf->api_key_file);
    return a->certificate && a->key;
}

static void make(struct api *a)
{
    const struct conf_texts *keys = &a->conf->secrets_fernet_keys;
    size_t bad;
    check(fernet_keys_init(&a->keys, keys->items, keys->count, &bad)); /* as conf_load_for_worker found */
    libraries_begin_curl();
    a->base = event_base_new();
    check(a->base != NULL);
    a->dialer = dialer_new(a->base);
    a->auth = auth_new(a->base, a->dialer, a->conf);
    a->calls = calls_new(a->base, a->dialer, a->conf);
    a->trials = trials_new(a->base, a->conf);
    a->rest = rest_new(a->conf, a->auth, a->calls, a->trials, &a->keys);
    a->look = event_new(a->base, -1, EV_PERSIST, on_look, a);
    a->term = watch_signal(a, SIGTERM);
    a->interrupt = watch_signal(a, SIGINT);
    a->quit = watch_signal(a, SIGQUIT);
    a->log = log_loop_new(a->base);
    signal(SIGPIPE, SIG_IGN);
}

static void free_api(struct api *a)
{
    trials_free(a->trials); /* before all others: what is under way is answered, */
    calls_free(a->calls);   /* ... or forgotten, and belongs to the others */
    auth_free(a->auth);
    http_server_free(a->server);
    rest_free(a->rest);
    dialer_free(a->dialer);
    event_free(a->look);
    event_free(a->term);
    event_free(a->interrupt);
    event_free(a->quit);
    log_loop_free(a->log);
    event_base_free(a->base);
    fernet_keys_wipe(&a->keys);
    curl_global_cleanup();
    if (a->key)
        explicit_bzero(a->key, strlen(a->key));
    free(a->key);
    free(a->certificate);
}

int api_run(const struct conf *conf)
{
    struct api a = {.conf = conf};
    log_setup(conf->log_level, strcmp(conf->log_format, "json") == 0, "api");
    log_limit_set(conf->log_burst, conf->log_interval);
    make(&a);
    bool listens = read_tls(&a) && listen_at(&a);
    if (listens)
        event_base_dispatch(a.base);
    free_api(&a);
    return listens ? 0 : EXIT_BAD_CONFIGURATION;
}
