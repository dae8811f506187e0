#ifndef NOTIFY_SERVICE_SERVICE_SEND_H
#define NOTIFY_SERVICE_SERVICE_SEND_H

#include "api/service/service_fields.h"

/* The fields of the requests that try settings out, show what would be sent, and copy an integration. */
enum service_test_field { TEST_KIND, TEST_CONFIG, TEST_NAME, TEST_FIELD_COUNT };
enum service_preview_field {
    PREVIEW_KIND,
    PREVIEW_EVENT,
    PREVIEW_SEVERITY,
    PREVIEW_CONFIG,
    PREVIEW_FIELD_COUNT
};
enum service_copy_field { COPY_NAME, COPY_FIELD_COUNT };

extern const struct service_field service_test_fields[TEST_FIELD_COUNT];
extern const struct service_field service_preview_fields[PREVIEW_FIELD_COUNT];
extern const struct service_field service_copy_fields[COPY_FIELD_COUNT];

#endif
