#ifndef NOTIFY_WORKER_MAILBOX_H
#define NOTIFY_WORKER_MAILBOX_H

#include <event2/event.h>

#include "common/base/conf.h"
#include "common/db/pg_link.h"
#include "worker/gate.h"
#include "worker/intake.h"
#include "worker/parts.h"
#include "worker/trip.h"

/*
 * Empties mailboxes: deliveries that limits held back wait in the ledger (deferred), without messages. A wake, one message
 * per integration and turn, comes when its mailbox is to be looked at; for as long as it is held, its deliveries are taken
 * out, worst first, as many as may start, and sent.
 */
struct mailboxes;

struct mailboxes *mailboxes_new(struct event_base *base, struct pg_link *link, struct parts *parts,
                                struct trips *trips);
/* Drops the wakes in hand; the broker delivers them again. Before what it was made with. */
void mailboxes_free(struct mailboxes *m);
/* A wake has come. Takes the receipt. */
void mailboxes_wake(struct mailboxes *m, const struct uuid *integration, int number,
                    struct intake_receipt *receipt);
/* The link has come up. */
void mailboxes_resume(struct mailboxes *m);
/* Take no more out, and begin none of what was; the wakes in hand end when what was begun is through. */
void mailboxes_stop(struct mailboxes *m);
/* Hand back the wakes that have waited for the database longer than MAX_US. */
void mailboxes_hand_back(struct mailboxes *m, int64_t max_us);
/* Wakes in hand. */
size_t mailboxes_count(const struct mailboxes *m);

#endif
