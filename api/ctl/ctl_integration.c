/*
 * ctl_integration - notifyctl integration list, create, update, delete
 *
 * Options become the body of a request, and the service layer judges it as it judges one of the API. Settings come from a file
 * or from standard input, because a command line is visible to everybody on the machine, and are overwritten afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/ctl/ctl_service.h"
#include "common/base/utf8.h"
#include "common/model/settings_seal.h"

enum { BODY_MAX = 4 * CTL_SETTINGS_MAX };

#define PAGE "500" /* SERVICE_LIMIT_MAX */

/* ---- list ---- */

static void print_page(const char *body, bool first, bool last)
{
    /* "[a, b]": the brackets of the first page and of the last are those of the whole. */
    size_t n = strlen(body);
    printf("%s%.*s%s", first ? "[" : n > 2 ? ",\n " : "", (int)(n - 2), body + 1, last ? "]\n" : "");
}

static void print_table(const char *body)
{
    static const struct ctl_column columns[] = {
        {"id", "id"},
        {"kind", "kind"},
        {"name", "name"},
        {"severity", "severity_filter"},
        {"enabled", "enabled"},
        {"events", "events"},
        {"targets", "target_ids"},
    };
    ctl_service_table(body, columns, sizeof columns / sizeof columns[0]);
}

/* Print page after page, or gather them in ALL for one table. */
static enum ctl_exit print_pages(struct db *db, const struct service_caller *caller, bool json,
                                 struct buf *all)
{
    enum ctl_exit code;
    char cursor[256] = "";
    bool first = true, last = false;
    do {
        struct service_call call;
        service_integration_list(&call, caller, PAGE, first ? NULL : cursor);
        code = ctl_service_run(db, &call);
        if (code == CTL_DONE) {
            last = call.next == NULL;
            snprintf(cursor, sizeof cursor, "%s", last ? "" : call.next);
            if (json)
                print_page(call.body, first, last);
            else
                buf_printf(all, "%s%.*s", first ? "[" : ",", (int)(strlen(call.body) - 2), call.body + 1);
        }
        first = false;
        service_end(&call);
    } while (code == CTL_DONE && !last);
    buf_add_char(all, ']');
    return code;
}

enum ctl_exit ctl_integration_list(const struct ctl *ctl)
{
    struct ctl_asker asker;
    struct db db;
    enum ctl_exit code = CTL_DONE;
    if (!ctl_asker_fill(ctl, true, &asker))
        return CTL_WRONG_USE;
    if (!ctl_service_open(ctl, &db, &code))
        return code;
    struct buf all;
    bool json = ctl_value(ctl, "--json") != NULL;
    buf_init(&all, 1024 * 1024 * 1024);
    code = print_pages(&db, &asker.caller, json, &all);
    if (code == CTL_DONE && !json)
        print_table(buf_text(&all));
    buf_free(&all);
    db_close(&db);
    return code;
}

/* ---- create and update ---- */

/* The settings of --config-file as a member of BODY, if it was given; false, and said, when they are none. */
static bool add_settings(const struct ctl *ctl, struct buf *body)
{
    const char *name = ctl_value(ctl, "--config-file"), *why = "";
    if (!name)
        return true;
    bool is_input = strcmp(name, "-") == 0;
    int fd = is_input ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fprintf(stderr, "notifyctl: %s: %s\n", name, strerror(errno));
        return false;
    }
    struct buf text;
    buf_init(&text, CTL_SETTINGS_MAX);
    bool good = ctl_read_settings(fd, is_input ? "standard input" : name, &text);
    if (good) {
        buf_json_key(body, "config");
        good = settings_compact(buf_text(&text), text.len, body, &why);
        if (!good)
            fprintf(stderr, "notifyctl: %s\n", why);
    }
    if (!is_input)
        close(fd);
    buf_wipe(&text);
    return good;
}

/* The list in "a,b" as a member; "all" is null. */
static void add_list(struct buf *body, const char *member, const char *list)
{
    if (!list)
        return;
    if (strcmp(list, "all") == 0) {
        buf_json_member(body, member, NULL);
        return;
    }
    buf_json_open_list(body, member);
    for (const char *at = list;; at++) {
        size_t n = strcspn(at, ",");
        buf_json_bytes(body, at, n);
        at += n;
        if (!*at)
            break;
        buf_add_char(body, ',');
    }
    buf_add_char(body, ']');
}

/* The body of a request from the options; false, and said, when one is no text or has no settings in it. */
static bool make_body(const struct ctl *ctl, struct buf *body)
{
    static const char *const texts[][2] = {
        {"--kind", "kind"}, {"--name", "name"}, {"--severity", "severity_filter"}};
    const char *enabled = ctl_value(ctl, "--enabled");
    buf_reserve(body, BODY_MAX); /* so that it never moves: it holds settings */
    buf_add_char(body, '{');
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *value = ctl_value(ctl, texts[i][0]);
        if (value && !utf8_is_storable(value, strlen(value))) {
            fprintf(stderr, "notifyctl: %s is not in UTF-8\n", texts[i][0]);
            return false;
        }
        if (value)
            buf_json_member(body, texts[i][1], value);
    }
    if (enabled && (strcmp(enabled, "true") == 0 || strcmp(enabled, "false") == 0))
        buf_json_bool(body, "enabled", *enabled == 't');
    else if (enabled)
        buf_json_member(body, "enabled", enabled);
    add_list(body, "target_ids", ctl_value(ctl, "--targets"));
    add_list(body, "events", ctl_value(ctl, "--events"));
    if (!add_settings(ctl, body))
        return false;
    buf_add_char(body, '}');
    if (body->overflow)
        fputs("notifyctl: that is more than fits into one integration\n", stderr);
    return !body->overflow;
}

static void print_one(const struct ctl *ctl, const struct service_call *call, const char *id)
{
    puts(ctl_value(ctl, "--json") ? call->body : id);
}

/* ID: of what is to be changed; NULL: one is created. */
static enum ctl_exit save(const struct ctl *ctl, const char *id)
{
    const struct conf_texts *texts = &ctl->conf->secrets_fernet_keys;
    struct ctl_asker asker;
    struct fernet_keys keys;
    struct service_call call;
    struct buf body;
    size_t bad;
    if (!ctl_asker_fill(ctl, true, &asker))
        return CTL_WRONG_USE;
    if (!fernet_keys_init(&keys, texts->items, texts->count, &bad))
        return CTL_BAD_CONF; /* refused by conf_load already */
    asker.caller.keys = &keys;
    buf_init(&body, BODY_MAX);
    enum ctl_exit code = CTL_NO;
    if (make_body(ctl, &body)) {
        if (id)
            service_integration_update(&call, &asker.caller, id, buf_text(&body), body.len, NULL);
        else
            service_integration_create(&call, &asker.caller, buf_text(&body), body.len, NULL);
        code = ctl_service_run_once(ctl, &call);
        if (code == CTL_DONE)
            print_one(ctl, &call, id ? id : call.id);
        service_end(&call);
    }
    buf_wipe(&body);
    fernet_keys_wipe(&keys);
    return code;
}

enum ctl_exit ctl_integration_create(const struct ctl *ctl)
{
    return save(ctl, NULL);
}

enum ctl_exit ctl_integration_update(const struct ctl *ctl)
{
    return save(ctl, ctl->words[0]);
}

/* ---- delete ---- */

enum ctl_exit ctl_integration_delete(const struct ctl *ctl)
{
    struct ctl_asker asker;
    struct service_call call;
    if (!ctl_asker_fill(ctl, true, &asker))
        return CTL_WRONG_USE;
    service_integration_delete(&call, &asker.caller, ctl->words[0], NULL);
    enum ctl_exit code = ctl_service_run_once(ctl, &call);
    if (code == CTL_DONE)
        puts(ctl->words[0]);
    service_end(&call);
    return code;
}
