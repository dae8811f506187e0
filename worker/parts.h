#ifndef NOTIFY_WORKER_PARTS_H
#define NOTIFY_WORKER_PARTS_H

#include "common/base/conf.h"
#include "common/egress/transfer.h"
#include "worker/expand.h"
#include "worker/gate.h"
#include "worker/hours.h"
#include "worker/intake.h"
#include "worker/ledger.h"
#include "worker/lookup.h"
#include "worker/publish.h"
#include "worker/refs.h"
#include "worker/rules.h"

/* The parts of a worker, for those who take messages through them: trip and job. */
struct parts {
    const struct conf *conf;
    struct intake *intake;
    struct publisher *publisher;
    struct lookups *lookups;
    struct rules *rules;
    struct ledger *ledger;
    struct refs *refs;
    struct gate *gate;
    struct transfers *transfers;
    struct expansions *expansions;
    struct bundles *bundles;
    struct hours *hours;
};

#endif
