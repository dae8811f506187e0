#ifndef NOTIFY_API_REST_WEB_H
#define NOTIFY_API_REST_WEB_H

#include "api/rest/rest_parts.h"

/* The dashboard, ready to be sent. */
struct rest_web;

struct rest_web *rest_web_new(void);
void rest_web_free(struct rest_web *web);

/* Handlers: the page, its style sheets, its scripts. */
void rest_show_page(struct asked *asked);
void rest_show_style(struct asked *asked);
void rest_show_script(struct asked *asked);

#endif
