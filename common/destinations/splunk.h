#ifndef NOTIFY_DESTINATIONS_SPLUNK_H
#define NOTIFY_DESTINATIONS_SPLUNK_H

#include "common/destinations/dest_config.h"

/*
 * The parts of the Splunk destination, for splunk*.c and their tests only: everybody else sees dest.h.
 *
 * Splunk takes requests of hundreds of megabytes (5 MB at Splunk Cloud), but cuts an event at 10,000 bytes unless its
 * sourcetype is set up otherwise (props.conf, TRUNCATE), and what is cut is no JSON any more: no field of it is found. So
 * an event is kept within that.
 */
enum {
    SPLUNK_EVENT_MAX = 10000, /* bytes of the member `event` */
    SPLUNK_REQUEST_MAX =
        512 * 1024,            /* bytes of a request for several events, within delivery.max_request; ours */
    SPLUNK_TOGETHER_MAX = 500, /* events of one conversation; ours */
    SPLUNK_REQUESTS_MAX = 12,  /* in one conversation; ours */
    SPLUNK_TOKEN_MAX = 256,    /* bytes; ours: tokens are GUIDs, or what an administrator chose */
    SPLUNK_NAME_MAX = 255,     /* bytes of index, source and host; ours */
};

struct splunk_config {
    const char *url;           /* ends in /services/collector/event */
    const char *authorization; /* of the header, with the token */
    const char *envelope;      /* where an event is filed: `{"host":"…","source":"…"`, to be continued */
};

/* What is behind the envelope, up to and with its end: `"sourcetype":"…","time":…,"event":{…}}`. One layout. */
dest_body_builder splunk_body_build;

/* Whom an answer concerns. */
enum splunk_extent {
    SPLUNK_SENT,  /* all events of the request */
    SPLUNK_EVERY, /* these and all that wait: the settings, or Splunk itself */
    SPLUNK_EVENT, /* the event of this number alone */
    SPLUNK_SIZE,  /* nobody, if there is less in a request */
};

struct splunk_answer {
    enum splunk_extent extent;
    struct verdict verdict; /* on whom it concerns */
    int64_t number;         /* "invalid-event-number"; -1: none was given */
};

struct splunk_answer splunk_judge(const struct dest_response *r);

extern const struct dest_setting splunk_settings[];
/* dest.config_parse; see dest.h. */
const void *splunk_config_parse(struct arena *arena, const char *json, size_t size,
                                struct dest_config_error *error);

#endif
