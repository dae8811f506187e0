#ifndef NOTIFY_SERVICE_SERVICE_SAMPLE_H
#define NOTIFY_SERVICE_SERVICE_SAMPLE_H

#include "common/model/event.h"

/*
 * An event that is an example, and facts about it, for who wants to see what would be sent: of a finding of SEVERITY, or of a
 * scan that found one of it. Every text says that it is a sample. Texts are static.
 */
void service_sample(enum event_type type, enum severity severity, struct event *event, struct facts *facts);

#endif
