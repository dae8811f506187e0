#ifndef NOTIFY_WORKER_EXPAND_PAGE_H
#define NOTIFY_WORKER_EXPAND_PAGE_H

#include "common/base/arena.h"
#include "common/model/event.h"
#include "worker/publish.h"

/*
 * The messages that a task notify_scan_findings turns into. Pure.
 *
 * Their ids are "<task id>.scan_done" and "<task id>.<finding's id>", so that whoever makes them again makes the same.
 * A task id longer than EXPAND_ID_WHOLE_MAX bytes stands in them as the first 32 digits of its SHA-256: an id has
 * EVENT_ID_MAX bytes at most.
 */
enum { EXPAND_ID_WHOLE_MAX = 160 };

/* A finding, as far as its order and its way depend on it. */
struct expand_finding {
    struct uuid id;
    enum severity severity;
};

/* The id of the event that WHICH of a task's becomes: a finding's id, or a word. In ARENA. */
const char *expand_page_id(struct arena *arena, const char *task_id, const char *which);

/*
 * Fill all of MESSAGE but `confirmed`: the first event of TASK, or that of one of its findings. QUEUE is where the task
 * came from. Texts are allocated in ARENA, or borrowed from QUEUE.
 */
void expand_page_scan_done(struct publish_message *message, struct arena *arena, const struct event *task,
                           const char *queue);
void expand_page_finding(struct publish_message *message, struct arena *arena, const struct event *task,
                         const char *queue, const struct expand_finding *finding);

#endif
