/*
 * github_config - the settings of a GitHub integration, checked
 *
 * Pure. Settings are hostile: what passes can be put into a URL and a header as it is. Error texts name the key and say
 * what to do, and never hold a value.
 */
#include <string.h>
#include <strings.h>

#include "common/base/json.h"
#include "common/destinations/github.h"

#define API_URL "https://api.github.com"

enum { OWNER_MAX = 64, NAME_MAX = 100 };

const struct dest_setting github_settings[] = {
    {
        .key = "repo",
        .form = SETTING_TEXT,
        .required = true,
        .max = OWNER_MAX + NAME_MAX + 1,
        .pattern = "^[A-Za-z0-9._-]{1,64}/[A-Za-z0-9._-]{1,100}$",
        .help = "The repository as owner/name.",
        .example = "\"acme/shop\"",
    },
    {
        .key = "token",
        .form = SETTING_TEXT,
        .required = true,
        .secret = true,
        .max = GITHUB_TOKEN_MAX,
        .help = "An access token that may write issues.",
        .example = "\"github_pat_x\"",
    },
    {
        .key = "api_url",
        .form = SETTING_URL,
        .value = API_URL,
        .max = DEST_CONFIG_URL_MAX,
        .help = "Where the API is; https://HOST/api/v3 for a GitHub Enterprise Server, "
                "https://api.SUBDOMAIN.ghe.com with data residency.",
        .example = "\"https://github.example/api/v3\"",
    },
    {
        .key = "labels",
        .form = SETTING_LIST,
        .max = GITHUB_LABEL_MAX,
        .count_max = GITHUB_LABELS_MAX,
        .help = "Labels besides those that every issue has.",
        .example = "[\"security\"]",
    },
    {
        .key = "assignees",
        .form = SETTING_LIST,
        .max = GITHUB_LOGIN_MAX,
        .count_max = GITHUB_ASSIGNEES_MAX,
        .help = "Accounts to whom issues are assigned; they need access to the repository.",
        .example = "[\"octocat\"]",
    },
    {.key = NULL},
};

/* N bytes that may stand in a name of GitHub's, which is none of "." and "..". */
static bool is_name(const char *text, size_t n, size_t max)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    bool dots = (n == 1 && text[0] == '.') || (n == 2 && memcmp(text, "..", 2) == 0);
    return n >= 1 && n <= max && strspn(text, allowed) >= n && !dots;
}

static const char *read_repo(struct arena *arena, struct json_object *root, struct dest_config_error *error)
{
    const char *repo = dest_config_word(arena, root, "repo", OWNER_MAX + NAME_MAX + 1,
                                        "the repository as owner/name", error);
    const char *slash = repo ? strchr(repo, '/') : NULL;
    if (!repo)
        return NULL;
    if (slash && is_name(repo, (size_t)(slash - repo), OWNER_MAX) &&
        is_name(slash + 1, strlen(slash + 1), NAME_MAX))
        return repo;
    dest_config_fail(error,
                     "repo must be the repository as owner/name, without https://github.com/ before it");
    return NULL;
}

/* GitHub's own API, that of a data residency (api.SUBDOMAIN.ghe.com), or somebody's server. */
static bool judge_host(const char *api_url, struct dest_config_error *error)
{
    if (dest_config_host_is(api_url, "github.com") || dest_config_host_is(api_url, "www.github.com"))
        return dest_config_fail(
            error, "api_url leads to GitHub's pages, not to its API; leave it out for github.com");
    if (!dest_config_host_is(api_url, "api.github.com") && !dest_config_host_is(api_url, ".ghe.com"))
        error->advice = "api_url does not lead to GitHub (api.github.com); that is right for a GitHub "
                        "Enterprise Server, whose address ends in /api/v3";
    return true;
}

const void *github_config_parse(struct arena *arena, const char *json, size_t size,
                                struct dest_config_error *error)
{
    struct github_config *config = arena_alloc(arena, sizeof *config);
    struct json_object *root = dest_config_read(json, size, error);
    const char *repo, *token = NULL, *api_url = NULL;
    if (!root)
        return NULL;
    repo = read_repo(arena, root, error);
    if (repo)
        token = dest_config_word(arena, root, "token", GITHUB_TOKEN_MAX,
                                 "an access token that may write issues", error);
    if (token)
        api_url = dest_config_base_url(arena, root, "api_url", "the API's", API_URL, error);
    bool good = api_url && judge_host(api_url, error) &&
                dest_config_list(arena, root, "labels", GITHUB_LABELS_MAX, GITHUB_LABEL_MAX, &config->labels,
                                 error) &&
                dest_config_list(arena, root, "assignees", GITHUB_ASSIGNEES_MAX, GITHUB_LOGIN_MAX,
                                 &config->assignees, error);
    if (good) {
        config->url = arena_printf(arena, "%s/repos/%s", api_url, repo);
        config->search = arena_printf(arena, "%s/search/issues?q=repo:%s+is:issue+in:body+", api_url, repo);
        config->authorization = arena_printf(arena, "Bearer %s", token);
    }
    json_object_put(root);
    return good ? config : NULL;
}
