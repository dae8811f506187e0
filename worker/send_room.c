/*
 * send_room - whether a send would block
 *
 * Owns nothing. A stream socket takes bytes while what its queue weighs is less than its send buffer, and the
 * queue is weighed with the kernel's own structures: a segment of 21 bytes weighs 853. So bytes that are not
 * acknowledged (SIOCOUTQ) cannot be compared with SO_SNDBUF; SO_MEMINFO (Linux 4.12) tells both sides of the
 * comparison that the kernel makes.
 *
 * How large the buffer is depends on the link unless it is set: a fresh socket has 2.5 MB on loopback and
 * 69 KB behind a network card, and the kernel may make it smaller again when memory is short. One that was
 * set stays. What this cannot see is a machine whose TCP memory as a whole is used up (tcp_mem).
 */
#include "worker/send_room.h"

#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
    /* The kernel doubles it and cuts it at wmem_max without a word; the usual wmem_max of 212,992 gives 416 KiB. */
    SEND_BUFFER = 1 << 20,
    /* Measured: a segment weighs at most 832 more than its bytes. Thrice the bytes covers segments down to 536. */
    WEIGHT_FACTOR = 3,
    WEIGHT_EXTRA = 4096,
    RESERVE = 16384,
};

void send_room_fix(int fd)
{
    int size = SEND_BUFFER, never = INT32_MAX;
    /* Otherwise net.ipv4.tcp_notsent_lowat may end a send long before the buffer is full. */
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &never, sizeof never);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

bool send_room_for(int fd, size_t bytes)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t size = sizeof memory;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &size) != 0) {
        int queued = 0; /* a kernel that does not tell: one thing after the other */
        return ioctl(fd, SIOCOUTQ, &queued) != 0 || queued == 0;
    }
    uint32_t queued = memory[SK_MEMINFO_WMEM_QUEUED];
    return queued == 0 ||
           queued + bytes * WEIGHT_FACTOR + WEIGHT_EXTRA + RESERVE <= memory[SK_MEMINFO_SNDBUF];
}
