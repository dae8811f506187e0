#ifndef NOTIFY_WORKER_SHADOW_H
#define NOTIFY_WORKER_SHADOW_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/fernet.h"
#include "worker/intake.h"
#include "worker/parts.h"
#include "worker/raw_message.h"

/*
 * Messages on their way through a worker in shadow mode: judged as if they were to be delivered, written down, passed on and
 * acknowledged. Instead of trips, mailboxes, jobs and all that they write.
 */
struct shadows;

/* What is given must outlive the result; LINK must prepare worker_statements. */
struct shadows *shadows_new(struct event_base *base, struct pg_link *link, struct parts *parts,
                            const struct fernet_keys *keys, const struct transfer_settings *transfer);
/* After the link, and when nothing is unsettled; what is looked for again is forgotten. */
void shadows_free(struct shadows *all);
/* A message has come. Takes RAW's arena and the receipt. */
void shadows_begin(struct shadows *all, struct raw_message *raw, struct arena *arena,
                   struct intake_receipt *receipt);
/* Messages that are not settled. */
size_t shadows_count(const struct shadows *all);
/* The worker ends: hand back what cannot be passed on, and look for nothing again. */
void shadows_drain(struct shadows *all);
/* Hand back the messages that have waited for the database longer than MAX_US without having begun. */
void shadows_hand_back(struct shadows *all, int64_t max_us);
/* The link has come up. */
void shadows_resume(struct shadows *all);

#endif
