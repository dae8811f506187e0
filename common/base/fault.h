#ifndef NOTIFY_BASE_FAULT_H
#define NOTIFY_BASE_FAULT_H

#include <stdbool.h>

/*
 * Named places where a test can have the process killed, as a power cut would: NOTIFY_FAULT in the
 * environment, "point=count", with "*kills" and "/text" behind it where wanted: a process gets SIGKILL at
 * the COUNTth time that it comes there with an id that contains TEXT, but KILLS processes at most that
 * descend from the one that read the environment (without "*kills": all). "ack=1*1/x" so kills one worker,
 * and its replacement lives. A process armed that way says so in its log at start. X(ENUM, word, where)
 */
#define FAULT_LIST(X)                                                                                        \
    X(DECODE, "decode", "while a message is decoded")                                                        \
    X(LOOK_UP, "look_up", "while the database's answer about an event is read")                              \
    X(CLAIM, "claim", "what stands for a finding is claimed, nothing is taken")                              \
    X(TAKE, "take", "an attempt's row is taken, nothing is sent")                                            \
    X(RENDER, "render", "while a request is rendered")                                                       \
    X(RESPONSE, "response", "the destination has answered, nothing is written")                              \
    X(COMMIT, "commit", "the rows are committed, nothing is published")                                      \
    X(PUBLISH, "publish", "what follows is published, not confirmed")                                        \
    X(CONFIRM, "confirm", "what follows is confirmed")                                                       \
    X(ACK, "ack", "everything is done but the acknowledgement")                                              \
    X(EXPAND, "expand", "a page of a scan's findings is confirmed, its place is not written")

#define FAULT_ENUM(e, w, h) FAULT_##e,
enum fault { FAULT_LIST(FAULT_ENUM) FAULT_COUNT };

extern bool fault_armed;

/* Read the environment, before the first fork; false when NOTIFY_FAULT is set and cannot be read. */
bool fault_setup(void);
void fault_reach(enum fault fault, const char *id);

/* Costs one branch when nothing is armed. ID may be NULL. */
#define fault_here(fault, id)                                                                                \
    do {                                                                                                     \
        if (__builtin_expect(fault_armed, 0))                                                                \
            fault_reach((fault), (id));                                                                      \
    } while (0)

#endif
