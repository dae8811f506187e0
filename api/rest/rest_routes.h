#ifndef NOTIFY_API_REST_ROUTES_H
#define NOTIFY_API_REST_ROUTES_H

#include "api/http/http_router.h"

/*
 * The routes of the API, once: what is asked for, what is refused, who may, and their description (GET /openapi.json).
 *
 * A route more is a row here and its handler, declared in a header of the file that has it:
 *
 *   {.method = "GET", .path = "/things/{id}", .summary = "One thing.", .scope = ROUTE_READ, .words = {THE_ID},
 *    .query = {{"word", "text:1:200", NULL, "What to look for.", true}}, .status = 200, .answer = "Thing", .make = get_thing},
 *
 * and, where it answers or takes something new, rows for its schema in rest_schemas.c. What follows of the row goes without
 * saying: 401, 429 and 503 of what needs a token, 403 of what writes, 404 of what has a word in its path, 400 of what it does
 * not take, 413, 415 and 422 of a body, 422 of a parameter, 409 and 412 of the headers. Others stand in .errors.
 */
extern const struct route rest_routes[];

#endif
