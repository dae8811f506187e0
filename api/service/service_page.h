#ifndef NOTIFY_SERVICE_SERVICE_PAGE_H
#define NOTIFY_SERVICE_SERVICE_PAGE_H

#include "api/service/service_parts.h"

/* Lists, a page at a time, for the files of the service layer. */

/*
 * Read a page's parameters as they came. CURSOR is the end of the page before; what it was made of is put into BEHIND, COUNT
 * parts, which stay as they are without one. FORM: of the parts. What is wrong becomes an error of the call.
 */
enum service_page_form {
    PAGE_BY_TIME,   /* microseconds since 1970, a UUID, and then texts */
    PAGE_BY_TEXT,   /* a UUID, and then a text */
    PAGE_OF_EVENTS, /* microseconds since 1970, and then a text */
};
void service_page_read(struct service_call *call, const char *limit, const char *cursor,
                       enum service_page_form form, const char **behind, size_t count);

/* Microseconds since 1970, behind all that is, for pages that go back from there. */
#define SERVICE_END_OF_TIME "200000000000000000"

/* Begin the page; one more on it, to be added to what is returned; its end. LAST: the parts of where the next page begins, the
 * first NULL when there is none. */
void service_page_begin(struct service_call *call);
struct buf *service_page_add(struct service_call *call);
/* There is enough on it: what is left comes on the next. */
bool service_page_is_full(const struct service_call *call);
void service_page_end(struct service_call *call, const char *const *last, size_t count);
/* As the call's finish. */
void service_page_finish(struct service_call *call);

/* The states of deliveries as a parameter: STATE alone, or where it is NULL all that can have a reason (HAVE_REASON), or all. */
const char *service_states(struct service_call *call, const char *state, bool have_reason);

#endif
