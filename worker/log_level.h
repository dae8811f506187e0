#ifndef NOTIFY_WORKER_LOG_LEVEL_H
#define NOTIFY_WORKER_LOG_LEVEL_H

/*
 * What the pool logs can be changed while it runs: SIGUSR1 to the supervisor one level more, SIGUSR2 one less, until the settings
 * are read again.
 */

/* Supervisor: NUMBER is SIGUSR1 or SIGUSR2. A line says the new level. */
void log_level_signal(int number);
/* Supervisor: the settings were read again, and say it. */
void log_level_reset(void);
/* Child, before its signals are let through: the two above are not for it, and would end it. */
void log_level_ignore_signals(void);
/* Child, at its start and in its tick: log what the supervisor says; then log_tick. */
void log_level_follow(void);

#endif
