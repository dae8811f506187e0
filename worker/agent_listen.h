#ifndef NOTIFY_WORKER_AGENT_LISTEN_H
#define NOTIFY_WORKER_AGENT_LISTEN_H

#include <stdbool.h>

/*
 * The agent's listening socket, which the supervisor holds for its agents: who connects between two generations waits in its
 * line, and is not refused. LISTEN as in agent.listen.
 */

/* Supervisor, before it forks an agent: listen there, unless it does already. Without success the agent tries by itself. */
void agent_listen_open(const char *listen);
/* Supervisor, of the build before: FD listens at LISTEN. */
void agent_listen_take(int fd, const char *listen);
/* Supervisor, before it forks an agent: whether another one lives that accepts there, and goes when this one works. */
void agent_listen_wait(bool wait);
bool agent_listen_waits(void);
/* -1: none. A child inherits it. */
int agent_listen_descriptor(void);
/* Where; "" without one. */
const char *agent_listen_at(void);
/* A worker, and the supervisor when it ends. */
void agent_listen_close(void);

#endif
