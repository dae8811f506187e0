/*
 * rest_own - what the server says of itself, to anybody
 */
#include "api/rest/rest_own.h"

void rest_say_alive(struct asked *a)
{
    rest_answer(a, 200, "text/plain", "ok\n");
}

void rest_say_ready(struct asked *a)
{
    bool ready = calls_are_up(a->rest->calls);
    rest_answer(a, ready ? 200 : 503, "text/plain",
                ready ? "ready\n" : "not ready: there is no connection to the database\n");
}

void rest_show_document(struct asked *a)
{
    rest_answer_text(a, NULL, &a->rest->document);
}
