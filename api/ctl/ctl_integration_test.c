/*
 * ctl_integration_test - notifyctl integration test
 *
 * Sends for real, through the same code as the API (send/trial), on a loop of its own that ends with the test. The database is
 * let go before.
 */
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>

#include "api/ctl/ctl_output.h"
#include "api/ctl/ctl_service.h"
#include "api/send/trial.h"
#include "common/base/check.h"
#include "common/base/json.h"
#include "common/libraries.h"

static void on_done(struct trial *t)
{
    (void)t; /* nothing is left on the loop, so it ends */
}

/* Much of it are words of whoever answers there, so none of it may drive the terminal. */
static void print_text(struct json_object *root, const char *member, const char *title)
{
    struct json_object *value = json_get(root, member);
    const char *text = value ? json_object_get_string(value) : "";
    if (!*text)
        return;
    printf("%s: ", title);
    output_text(text);
    putchar('\n');
}

/* The same of what may have many lines, and is shown without loss. */
static void print_answer(struct json_object *root)
{
    static const char title[] = "response: ";
    struct json_object *value = json_get(root, "response");
    if (!json_is_text(value) || !json_object_get_string_len(value))
        return;
    fputs(title, stdout);
    output_bytes(json_object_get_string(value), (size_t)json_object_get_string_len(value),
                 (int)sizeof title - 1);
    putchar('\n');
}

/* For people; what the destination said last, since it may be long. */
static void print_lines(const struct trial *t)
{
    const char *unused;
    struct json_object *root = json_parse(t->body, t->body_size, &unused);
    puts(t->ok ? "ok" : "not ok");
    print_text(root, "detail", "detail");
    print_text(root, "status", "status");
    print_text(root, "error", "error");
    print_text(json_get(root, "issue"), "key", "issue");
    print_text(json_get(root, "alert"), "key", "alert");
    print_answer(root);
    json_object_put(root);
}

static enum ctl_exit run(const struct ctl *ctl, const struct service_settings *settings,
                         const char *workspace)
{
    struct trial t = {.dest = settings->dest,
                      .config = settings->config,
                      .integration = settings->id,
                      .workspace = workspace,
                      .done = on_done};
    libraries_begin_curl();
    signal(SIGPIPE, SIG_IGN);
    struct event_base *base = event_base_new();
    check(base != NULL);
    struct trials *trials = trials_new(base, ctl->conf);
    check(trial_begin(trials, &t) == TRIAL_BEGUN); /* there is no other */
    while (!t.body && event_base_loop(base, EVLOOP_ONCE) == 0)
        ;
    check(t.body != NULL);
    if (ctl_value(ctl, "--json"))
        puts(t.body);
    else
        print_lines(&t);
    bool ok = t.ok;
    trial_end(&t);
    trials_free(trials);
    event_base_free(base);
    curl_global_cleanup();
    return ok ? CTL_DONE : CTL_NO;
}

enum ctl_exit ctl_integration_test(const struct ctl *ctl)
{
    const struct conf_texts *texts = &ctl->conf->secrets_fernet_keys;
    struct ctl_asker asker;
    struct fernet_keys keys;
    struct service_call call;
    size_t bad;
    if (!ctl_asker_fill(ctl, true, &asker))
        return CTL_WRONG_USE;
    if (!fernet_keys_init(&keys, texts->items, texts->count, &bad))
        return CTL_BAD_CONF; /* refused by conf_load already */
    asker.caller.keys = &keys;
    service_integration_settings(&call, &asker.caller, ctl->words[0]);
    enum ctl_exit code = ctl_service_run_once(ctl, &call);
    if (code == CTL_DONE)
        code = run(ctl, call.settings, asker.caller.workspace);
    service_end(&call);
    fernet_keys_wipe(&keys);
    return code;
}
