#ifndef NOTIFY_BENCH_BROKER_H
#define NOTIFY_BENCH_BROKER_H

#include <amqp.h>

/*
 * A connection to RabbitMQ for the benchmark's own programs: blocking, one channel, no heartbeats. Whatever goes
 * wrong ends the process with status 1 and a line on standard error.
 */
enum { BROKER_CHANNEL = 1 };

/* Logged in to amqp://… with the channel open. */
amqp_connection_state_t broker_open(const char *url);
/* Judges the reply of the RPC that was just made. */
void broker_must(amqp_connection_state_t connection, const char *what);
/* Judges a return code of the library. */
void broker_must_send(int status, const char *what);
/* Ends the process when FRAME closes the connection or the channel. */
void broker_refuse_close(const amqp_frame_t *frame);

#endif
