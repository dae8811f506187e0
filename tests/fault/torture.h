#ifndef NOTIFY_TESTS_TORTURE_H
#define NOTIFY_TESTS_TORTURE_H

#include <stdatomic.h>
#include <stdbool.h>

/*
 * What torture.c (preloaded) and torture.py (which arms it) share: one page of memory, the file that TORTURE names.
 * Both name its fields in this order. While PID is some process's, each of its calls of CLASS counts COUNTDOWN down,
 * and from zero on FAILURES calls fail.
 *
 * With STEP another mode: at every STEPth allocation of the process that begins, the COUNTDOWNth first, it forks a child in which
 * this one fails, and goes on when that has ended. So one run of a program tries each of its allocations.
 */
enum torture_class {
    TORTURE_MEMORY,  /* malloc, calloc, realloc and their kin: NULL */
    TORTURE_SOCKET,  /* socket, connect, send, recv …: refused, reset, out of descriptors */
    TORTURE_KERNEL,  /* epoll, eventfd, open, threads, writes to files: out of whatever it needs */
    TORTURE_SQL,     /* a statement: the server answers with an error */
    TORTURE_PUBLISH, /* basic.publish: no such exchange, no such queue, the connection is gone */
    TORTURE_CONFIRM, /* the broker's confirm: it is a basic.nack instead */
    TORTURE_ACK, /* basic.ack and basic.nack: the broker knows no such delivery, or the connection is gone */
    TORTURE_CLASSES
};

enum { TORTURE_TEXT = 6000, TORTURE_NEXT_CHILD = -1 };

struct torture_table {
    _Atomic int pid; /* 0: nobody's; TORTURE_NEXT_CHILD: the next process to be forked writes its own here */
    _Atomic int class;
    _Atomic int countdown;
    _Atomic int failures;
    _Atomic int how;   /* which of the ways to fail that the class has */
    _Atomic int spare; /* libraries that die without memory: let theirs succeed */
    _Atomic int step;
    _Atomic int fired;
    _Atomic int crashed;                /* by this signal */
    _Atomic int calls[TORTURE_CLASSES]; /* of PID since the test cleared them */
    _Atomic int told;                   /* STEP: children that ended for lack of memory, saying so */
    _Atomic int unmoved;                /* and whose result was the same without it */
    char where[TORTURE_TEXT]; /* the stack of the first call that failed; STEP: that ended otherwise */
    char tried[TORTURE_TEXT]; /* STEP: of the latest */
    char crash[TORTURE_TEXT]; /* and of a crash */
};

/* NULL: nothing is to fail in this process. */
extern struct torture_table *torture_table;

/* Counts a call and says whether it is to fail. ERROR becomes errno then. */
bool torture_fails(enum torture_class class, int error);
/* Calls between these two do not count. */
void torture_pause(void);
void torture_go_on(void);
/* The function of that name which would have been called without us. */
void *torture_real(const char *name);

#define TORTURE_REAL(name) ((__typeof__(&name))torture_real(#name))

#endif
