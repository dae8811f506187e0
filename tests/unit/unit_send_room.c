/* What send_room_for allows, the kernel takes at once, also on a link that nobody reads from. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "worker/send_room.h"

enum { SMALL_BUFFER = 200000 };

struct pair {
    int ours;
    int theirs;
};

/* Two ends of a TCP connection, the other of which has little room and never reads. */
static struct pair connect_pair(int send_buffer)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof where;
    int listener = socket(AF_INET, SOCK_STREAM, 0), little = 4096;
    EXPECT(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &little, sizeof little) == 0);
    EXPECT(bind(listener, (struct sockaddr *)&where, size) == 0 && listen(listener, 1) == 0);
    EXPECT(getsockname(listener, (struct sockaddr *)&where, &size) == 0);
    struct pair p = {.ours = socket(AF_INET, SOCK_STREAM, 0)};
    EXPECT(connect(p.ours, (struct sockaddr *)&where, size) == 0);
    p.theirs = accept(listener, NULL, NULL);
    EXPECT(p.theirs >= 0);
    close(listener);
    send_room_fix(p.ours);
    if (send_buffer)
        EXPECT(setsockopt(p.ours, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer) == 0);
    return p;
}

static void close_pair(struct pair p)
{
    close(p.ours);
    close(p.theirs);
}

/* Bytes taken until there was no more room; each send must be taken whole. */
static size_t fill(int fd, size_t size)
{
    char *bytes = calloc(1, size);
    size_t sum = 0;
    for (; send_room_for(fd, size); sum += size)
        EXPECT_INT(send(fd, bytes, size, MSG_DONTWAIT), size);
    free(bytes);
    return sum;
}

static void what_is_allowed_is_taken_at_once_whatever_its_size(void)
{
    static const size_t sizes[] = {21, 480, 1500, 5000, 66000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct pair p = connect_pair(SMALL_BUFFER);
        EXPECT(fill(p.ours, sizes[i]) >= sizes[i]);
        close_pair(p);
    }
}

static void a_full_buffer_keeps_room_for_what_the_library_sends_unasked(void)
{
    struct pair p = connect_pair(SMALL_BUFFER);
    EXPECT(fill(p.ours, 480) > 480);
    for (int heartbeats = 0; heartbeats < 16; heartbeats++)
        EXPECT_INT(send(p.ours, "\010\0\0\0\0\0\0\316", 8, MSG_DONTWAIT), 8);
    close_pair(p);
}

static void the_largest_message_fits_beside_others(void)
{
    struct pair p = connect_pair(0);
    EXPECT(fill(p.ours, 66000) >= (size_t)2 * 66000);
    close_pair(p);
}

static void what_can_never_fit_is_allowed_when_nothing_is_under_way(void)
{
    struct pair p = connect_pair(4096);
    EXPECT(send_room_for(p.ours, 66000));
    EXPECT(send(p.ours, "x", 1, 0) == 1);
    char bytes[4096] = {0};
    while (send(p.ours, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
    }
    EXPECT(!send_room_for(p.ours, 66000));
    EXPECT(!send_room_for(p.ours, 21));
    close_pair(p);
}

UNIT_MAIN(UNIT_CASE(what_is_allowed_is_taken_at_once_whatever_its_size),
          UNIT_CASE(a_full_buffer_keeps_room_for_what_the_library_sends_unasked),
          UNIT_CASE(the_largest_message_fits_beside_others),
          UNIT_CASE(what_can_never_fit_is_allowed_when_nothing_is_under_way))
