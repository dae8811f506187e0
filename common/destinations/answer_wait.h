#ifndef NOTIFY_DESTINATIONS_ANSWER_WAIT_H
#define NOTIFY_DESTINATIONS_ANSWER_WAIT_H

#include "common/destinations/dest.h"

/*
 * Seconds from the arrival of ANSWER that its header FIELD asks to wait: whole or decimal seconds (Discord), or where
 * that would be decades seconds since 1970 (GitHub, Discord), or ISO 8601 with or without seconds (Jira:
 * yyyy-MM-ddTHH:mmZ). 0 when it is missing, unreadable or past; at most HTTP_TIME_WAIT_MAX.
 */
double answer_wait(const struct dest_response *answer, enum dest_answer_field field);

#endif
