/*
 * ctl_token - notifyctl token create, list, revoke
 *
 * A new token goes to standard output, this once; everything that is said about it goes to standard error.
 */
#include <stdio.h>
#include <string.h>

#include "api/ctl/ctl_service.h"
#include "common/base/json.h"

static void print_token(const struct ctl *ctl, const char *body)
{
    const char *why;
    if (ctl_value(ctl, "--json")) {
        puts(body);
        return;
    }
    struct json_object *made = json_parse(body, strlen(body), &why);
    puts(json_object_get_string(json_get(made, "token")));
    fputs("notifyctl: keep it now: it is not shown again\n", stderr);
    json_object_put(made);
}

enum ctl_exit ctl_token_create(const struct ctl *ctl)
{
    const char *scope = ctl_value(ctl, "--scope"), *name = ctl_value(ctl, "--name");
    struct ctl_asker asker;
    struct service_call call;
    double expires;
    if (!ctl_asker_fill(ctl, true, &asker) || !ctl_age(ctl, "--expires", &expires))
        return CTL_WRONG_USE;
    if (!scope) {
        fputs("notifyctl: token create needs --scope read or --scope write\n", stderr);
        return CTL_WRONG_USE;
    }
    service_token_create(&call, &asker.caller, scope, name ? name : "token", expires);
    enum ctl_exit code = ctl_service_run_once(ctl, &call);
    if (code == CTL_DONE)
        print_token(ctl, call.body);
    service_end(&call);
    return code;
}

enum ctl_exit ctl_token_list(const struct ctl *ctl)
{
    static const struct ctl_column columns[] = {
        {"id", "id"},
        {"workspace", "workspace_id"},
        {"scope", "scope"},
        {"created_at", "created_at"},
        {"last_used_at", "last_used_at"},
        {"expires_at", "expires_at"},
        {"revoked_at", "revoked_at"},
        {"name", "name"},
    };
    struct ctl_asker asker;
    struct service_call call;
    if (!ctl_asker_fill(ctl, false, &asker))
        return CTL_WRONG_USE;
    service_token_list(&call, &asker.caller);
    enum ctl_exit code = ctl_service_run_once(ctl, &call);
    if (code == CTL_DONE && ctl_value(ctl, "--json"))
        puts(call.body);
    else if (code == CTL_DONE)
        ctl_service_table(call.body, columns, sizeof columns / sizeof columns[0]);
    service_end(&call);
    return code;
}

enum ctl_exit ctl_token_revoke(const struct ctl *ctl)
{
    struct ctl_asker asker;
    struct service_call call;
    if (!ctl_asker_fill(ctl, false, &asker))
        return CTL_WRONG_USE;
    service_token_revoke(&call, &asker.caller, ctl->words[0]);
    enum ctl_exit code = ctl_service_run_once(ctl, &call);
    if (code == CTL_DONE)
        puts("revoked");
    service_end(&call);
    return code;
}
