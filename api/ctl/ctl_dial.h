#ifndef NOTIFY_CTL_CTL_DIAL_H
#define NOTIFY_CTL_CTL_DIAL_H

/*
 * Connect to HOST (a name or an address) and PORT, addresses one after the other, within TIMEOUT_MS for all of
 * them; the look-up of a name is not counted. A connected, non-blocking, close-on-exec socket, or -1 with WHY in
 * the system's words. Blocking; workers have common/net/dial.
 */
int ctl_dial(const char *host, int port, int timeout_ms, char why[128]);

#endif
