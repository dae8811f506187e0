#ifndef NOTIFY_WORKER_AGENT_LISTEN_H
#define NOTIFY_WORKER_AGENT_LISTEN_H

/*
 * The agent's listening socket, which the supervisor holds for its agents: both of two generations accept from it, so no
 * scrape in between is refused. LISTEN as in agent.listen.
 */

/* Supervisor, before it forks an agent: listen there, unless it does already. Without success the agent tries by itself. */
void agent_listen_open(const char *listen);
/* Supervisor, of the build before: FD listens at LISTEN. */
void agent_listen_take(int fd, const char *listen);
/* -1: none. A child inherits it. */
int agent_listen_descriptor(void);
/* Where; "" without one. */
const char *agent_listen_at(void);
/* A worker, and the supervisor when it ends. */
void agent_listen_close(void);

#endif
