#ifndef NOTIFY_WORKER_SEND_ROOM_H
#define NOTIFY_WORKER_SEND_ROOM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether a send would block. For a socket whose owner (librabbitmq) waits without a limit once the kernel
 * takes no more.
 */

/*
 * Give the socket a send buffer of a size that stays: as large as is asked for here or as net.core.wmem_max
 * allows.
 */
void send_room_fix(int fd);

/*
 * True when the kernel takes BYTES, in however many sends, without keeping the caller waiting, and there is
 * some room left after them for what the library sends unasked (heartbeats, closing). What could not even fit
 * into an empty buffer is let through when the buffer is empty.
 */
bool send_room_for(int fd, size_t bytes);

#endif
