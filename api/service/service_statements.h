#ifndef NOTIFY_SERVICE_SERVICE_STATEMENTS_H
#define NOTIFY_SERVICE_SERVICE_STATEMENTS_H

#include "common/db/pg_link.h"

/*
 * Every statement of the service layer and of the look-up of tokens, so that what the API may do to the database can be read,
 * and granted (schema/roles.sql), from one place. Parameters and rows are texts.
 */
enum api_statement {
    API_WORKSPACE,
    API_INTEGRATION_LIST,
    API_INTEGRATION_GET,
    API_INTEGRATION_LOCK,
    API_INTEGRATION_IS_THERE,
    API_INTEGRATION_KEY,
    API_INTEGRATION_CREATE,
    API_INTEGRATION_UPDATE,
    API_INTEGRATION_DELETE,
    API_INTEGRATION_SETTINGS,
    API_INTEGRATION_DUPLICATE,
    API_TOKEN_WORKSPACE,
    API_TOKEN_CREATE,
    API_TOKEN_LIST,
    API_TOKEN_REVOKE,
    API_TOKEN_ROLE,
    API_TOKEN_FIND,
    API_TOKEN_USED,
    API_DELIVERY_RECENT,
    API_DELIVERY_OF_INTEGRATION,
    API_DELIVERY_OF_EVENTS,
    API_DELIVERY_OF_EXPORT,
    API_DELIVERY_GET,
    API_DELIVERY_ATTEMPTS,
    API_DELIVERY_REPLAY,
    API_DELIVERY_DROP,
    API_EXPLAIN_EVENTS,
    API_EXPLAIN_DELIVERIES,
    API_EXPLAIN_ATTEMPTS,
    API_EXPLAIN_FACTS,
    API_EXPLAIN_INTEGRATIONS,
    API_EXPORT,
    API_EXPORT_UNSAVED,
    API_EXPORT_WAKE,
    API_EXPORT_CANCEL,
    API_EVENT_RECENT,
    API_EVENT_OF_SCAN,
    API_TARGET_LIST,
    API_STATS,
    API_STATS_INTEGRATIONS,
    API_OVERVIEW,
    API_STATEMENT_COUNT,
};

extern const struct pg_statement api_statements[API_STATEMENT_COUNT];

/* Columns, in order. */
enum api_list_column { API_LIST_BODY, API_LIST_TIME, API_LIST_ID };
enum api_get_column { API_GET_BODY, API_GET_ETAG };
enum api_create_column {                       /* of a copy, too */
                         API_CREATE_WORKSPACE, /* t: it is there; of a copy: the original is */
                         API_CREATE_BAD,       /* target_ids that are none, with commas between them */
                         API_CREATE_BODY,
                         API_CREATE_ETAG,
                         API_CREATE_KEPT_HASH, /* hexadecimal, of the request that had this Idempotency-Key first, and its answer: */
                         API_CREATE_KEPT_ID,
                         API_CREATE_KEPT_BODY,
                         API_CREATE_KEPT_ETAG,
};
enum api_delete_column {                     /* no row: there is no such integration */
                         API_DELETE_MATCHES, /* t: If-Match does */
                         API_DELETE_DONE,
};
enum api_update_column { /* no row: there is no such integration */
                         API_UPDATE_KIND,
                         API_UPDATE_MATCHES, /* t: If-Match does */
                         API_UPDATE_BAD,
                         API_UPDATE_BODY,
                         API_UPDATE_ETAG,
};
enum api_settings_column { API_SETTINGS_KIND, API_SETTINGS_SEALED /* hexadecimal */ };
enum api_page_column {
    API_PAGE_LOOKED,           /* how many rows were looked at */
    API_PAGE_LAST_TIME,        /* the last of these: microseconds since 1970, */
    API_PAGE_LAST_EVENT,       /* its event */
    API_PAGE_LAST_INTEGRATION, /* and its integration */
    API_PAGE_TIME,             /* of the row; NULL from here on: there is none */
    API_PAGE_EVENT,            /* from here on it is shown */
    API_PAGE_INTEGRATION = API_PAGE_EVENT + 4,
};
enum api_event_page_column {
    API_EVENTS_LOOKED,    /* how many rows were looked at */
    API_EVENTS_LAST_TIME, /* the last of these: microseconds since 1970, */
    API_EVENTS_LAST_ID,   /* and its id */
    API_EVENTS_TIME,      /* of the row; NULL from here on: there is none */
    API_EVENTS_ID,        /* from here on it is shown */
};
enum api_overview_column {
    API_OVERVIEW_TIME, /* microseconds since 1970 */
    API_OVERVIEW_ID,
    API_OVERVIEW_SHOWN, /* from here on */
};
enum api_change_column {
    API_CHANGE_EVENT,
    API_CHANGE_INTEGRATION,
    API_CHANGE_DONE,  /* t: it was dead, and is not now */
    API_CHANGE_STATE, /* before; NULL: there is no such delivery */
    API_CHANGE_WHY,   /* it cannot begin again: disabled or deleted, its integration; NULL: it can */
};
enum api_export_column {
    API_EXPORT_KIND,    /* NULL: there is no such integration */
    API_EXPORT_ENABLED, /* t or f */
    API_EXPORT_SCAN,    /* t: the scan is there, or none was named */
    API_EXPORT_UNKNOWN, /* findings that are none of the workspace, with commas between them */
    API_EXPORT_MEANT,   /* how many are meant */
    API_EXPORT_BODY,
    API_EXPORT_KEPT_HASH, /* as for a creation */
    API_EXPORT_KEPT_BODY,
    API_EXPORT_SEALED, /* of a dry run: the settings, hexadecimal */
    API_EXPORT_FACTS,  /* of a dry run: a list of what is known of each, as JSON */
};
enum api_cancel_column { API_CANCEL_FOUND /* events of the export */, API_CANCEL_CANCELED };
enum api_target_column { API_TARGET_ID, API_TARGET_NAME };
enum api_token_column { /* of API_TOKEN_FIND */
                        API_TOKEN_ID,
                        API_TOKEN_WORKSPACE_ID,
                        API_TOKEN_SCOPE,
                        API_TOKEN_NAME,
                        API_TOKEN_HASH,    /* hexadecimal */
                        API_TOKEN_REVOKED, /* t or f */
                        API_TOKEN_LEFT,    /* seconds until it expires, at most none; NULL: it does not */
                        API_TOKEN_EXPIRES, /* when, as RFC 3339 has it; NULL likewise */
};

#endif
