#ifndef NOTIFY_API_HTTP_STRICT_H
#define NOTIFY_API_HTTP_STRICT_H

#include <microhttpd.h>

/*
 * Why the head of a request could be understood in two ways, in words for whoever sent it; NULL: it could not. To be asked
 * before its body is read. TARGET_END: the NUL behind what MHD_OPTION_URI_LOG_CALLBACK was given; VERSION: what the handler was.
 */
const char *http_strict_wrong(struct MHD_Connection *mhd, const char *version, const char *target_end);

#endif
