#ifndef NOTIFY_BASE_SERVICE_MANAGER_H
#define NOTIFY_BASE_SERVICE_MANAGER_H

#include <stdint.h>

/*
 * The service manager that started us, when it wants to hear how we are: NOTIFY_SOCKET in the environment, a datagram per
 * message, lines of NAME=VALUE (sd_notify(3), "Notes"). Nothing is sent without it; a manager that does not read is waited for a
 * tenth of a second.
 */
void service_manager_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * Microseconds between two signs of life that it wants at most (WATCHDOG_USEC for this process, sd_watchdog_enabled(3));
 * 0: none.
 */
int64_t service_manager_watchdog_us(void);

#endif
