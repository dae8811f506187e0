/*
 * service_tool - one call of the service layer, for tests in another language
 *
 *     service_tool statements                            as statements_tool prints the worker's
 *     service_tool URL WORKSPACE list LIMIT CURSOR       "-": not given
 *     service_tool URL WORKSPACE get|delete ID
 *     service_tool URL WORKSPACE create|again KEY        the body on standard input, the Fernet key in FERNET_KEY;
 *     service_tool URL WORKSPACE update ID IF_MATCH      again: sent twice, as after a commit of which nobody heard
 *     service_tool URL WORKSPACE find TOKEN              whether it is there, and matches
 *
 * Prints the finished call as a JSON object.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/service/service.h"
#include "api/service/token.h"
#include "common/base/buf.h"
#include "common/base/check.h"

enum { BODY_MAX = 1 << 20, OUT_MAX = 1 << 26 };

static int print_statements(void)
{
    for (int i = 0; i < API_STATEMENT_COUNT; i++) {
        const struct pg_statement *s = &api_statements[i];
        check(!strpbrk(s->sql, "\t\n"));
        printf("%s\t", s->name);
        for (int n = 0; n < s->params; n++)
            printf("%s%u", n ? "," : "", s->types[n]);
        printf("\t%s\n", s->sql);
    }
    return 0;
}

static const char *given(const char *word)
{
    return word && strcmp(word, "-") != 0 ? word : NULL;
}

static PGresult *execute(PGconn *link, const struct service_step *step)
{
    const struct pg_statement *s = &api_statements[step->statement];
    PGresult *rows = PQexecParams(link, s->sql, step->count, s->types, step->values, NULL, NULL, 0);
    if (PQresultStatus(rows) == PGRES_TUPLES_OK || PQresultStatus(rows) == PGRES_COMMAND_OK)
        return rows;
    fprintf(stderr, "%s: %s", s->name, PQresultErrorMessage(rows));
    exit(3);
}

static void run(PGconn *link, struct service_call *call)
{
    PQclear(PQexec(link, "BEGIN"));
    for (size_t i = 0; i < call->step_count; i++) {
        PGresult *rows = execute(link, &call->steps[i]);
        service_take(call, i, rows);
        PQclear(rows);
    }
    PGresult *end = PQexec(link, "COMMIT");
    check(PQresultStatus(end) == PGRES_COMMAND_OK);
    PQclear(end);
}

static void print(const struct service_call *call)
{
    static const char *const names[] = {"unfinished", "ok",        "created",  "no_content", "unreadable",
                                        "invalid",    "not_found", "conflict", "changed",    "no_key"};
    struct buf out;
    buf_init(&out, OUT_MAX);
    buf_add_char(&out, '{');
    buf_json_member(&out, "status", names[call->status]);
    buf_json_key(&out, "body");
    buf_add_text(&out, call->body ? call->body : "null");
    buf_json_member(&out, "etag", call->etag);
    buf_json_member(&out, "id", call->id);
    buf_json_member(&out, "next", call->next);
    buf_json_member(&out, "detail", call->detail);
    buf_json_bool(&out, "repeated", call->repeated);
    buf_json_open_object(&out, "errors");
    for (size_t i = 0; i < call->error_count; i++)
        buf_json_member(&out, call->errors[i].field, call->errors[i].detail);
    buf_add_text(&out, "}}");
    puts(buf_text(&out));
    buf_free(&out);
}

static void find(PGconn *link, const char *text)
{
    char id[TOKEN_ID], list[TOKEN_ID + 2];
    if (!token_parse(text, id)) {
        puts("\"malformed\"");
        return;
    }
    snprintf(list, sizeof list, "{%s}", id);
    struct service_step step = {.statement = API_TOKEN_FIND, .count = 1, .values = {list}};
    PGresult *rows = execute(link, &step);
    if (!PQntuples(rows))
        puts("\"absent\"");
    else
        printf("[%s, \"%s\", \"%s\", \"%s\"]\n",
               token_matches(text, PQgetvalue(rows, 0, API_TOKEN_HASH)) ? "true" : "false",
               PQgetvalue(rows, 0, API_TOKEN_SCOPE), PQgetvalue(rows, 0, API_TOKEN_REVOKED),
               PQgetvalue(rows, 0, API_TOKEN_LEFT));
    PQclear(rows);
    step.statement = API_TOKEN_USED;
    PQclear(execute(link, &step));
}

static void make(struct service_call *call, const struct service_caller *caller, char **words)
{
    static char body[BODY_MAX];
    const char *verb = words[0], *one = words[1] ? words[1] : "-", *two = words[1] ? words[2] : NULL;
    size_t n = strchr("cau", *verb) ? fread(body, 1, sizeof body, stdin) : 0;
    if (strcmp(verb, "list") == 0)
        service_integration_list(call, caller, given(one), given(two));
    else if (strcmp(verb, "get") == 0)
        service_integration_get(call, caller, one);
    else if (strcmp(verb, "delete") == 0)
        service_integration_delete(call, caller, one, NULL);
    else if (strcmp(verb, "update") == 0)
        service_integration_update(call, caller, one, body, n, given(two));
    else
        service_integration_create(call, caller, body, n, given(one));
    memset(body, 0, n); /* a call keeps nothing of it */
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return print_statements();
    check(argc >= 4);
    PGconn *link = PQconnectdb(argv[1]);
    check(PQstatus(link) == CONNECTION_OK);
    if (strcmp(argv[3], "find") == 0) {
        find(link, argv[4]);
        PQfinish(link);
        return 0;
    }
    const char *key = getenv("FERNET_KEY");
    struct fernet_keys keys = {.count = 0};
    size_t bad;
    check(!key || fernet_keys_init(&keys, &key, 1, &bad));
    struct service_caller caller = {
        .workspace = argv[2], .actor = "0123456789abcdef", .actor_name = "a test", .keys = &keys};
    struct service_call call;
    make(&call, &caller, argv + 3);
    for (int times = strcmp(argv[3], "again") == 0 ? 2 : 1; times && call.step_count; times--)
        run(link, &call);
    service_finish(&call);
    print(&call);
    service_end(&call);
    fernet_keys_wipe(&keys);
    PQfinish(link);
    return 0;
}
