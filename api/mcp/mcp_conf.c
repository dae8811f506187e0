/*
 * mcp_conf - what notify-mcp takes from the configuration
 *
 * It runs on machines and for people that should have no key: so it reads none where it is given the same file as the workers, and
 * needs no file at all where it is told where the API is.
 */
#include "api/mcp/mcp_conf.h"

#include <string.h>

#include "common/base/check.h"

static bool is_wanted(const char *path)
{
    static const char *const wanted[] = {"api.url", "api.listen", "log.level", "log.format"};
    if (strncmp(path, "mcp.", 4) == 0)
        return true;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (strcmp(path, wanted[i]) == 0)
            return true;
    return false;
}

struct conf *mcp_conf_load(const char *file, struct conf_errors *errors)
{
    return conf_load_part(file, is_wanted, errors);
}

/* "0.0.0.0:8080" and "[::]:8080" are every address of the host, and no client reaches them so. */
char *mcp_conf_url(const struct conf *conf)
{
    const char *listen = conf->api_listen, *colon = strrchr(listen, ':');
    char url[512];
    if (conf->api_url[0])
        return mem_strdup(conf->api_url);
    if (strncmp(listen, "0.0.0.0:", 8) == 0 || colon == listen)
        snprintf(url, sizeof url, "http://127.0.0.1%s", colon);
    else if (strncmp(listen, "[::]:", 5) == 0)
        snprintf(url, sizeof url, "http://[::1]%s", colon);
    else
        snprintf(url, sizeof url, "http://%s", listen);
    return mem_strdup(url);
}
