#ifndef NOTIFY_SERVICE_SERVICE_FACTS_H
#define NOTIFY_SERVICE_SERVICE_FACTS_H

#include <json-c/json.h>

#include "common/base/arena.h"
#include "common/model/event.h"

/*
 * What the database knows about a finding, of a JSON object {scan, target, finding} as notify.api_exportable gives it
 * (schema/0014_exports.sql). Texts are copied into ARENA, which must outlive FACTS. False: it lacks an id.
 */
bool service_facts_read(struct arena *arena, struct json_object *object, struct facts *facts);

#endif
