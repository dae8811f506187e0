#ifndef NOTIFY_API_HTTP_LISTEN_H
#define NOTIFY_API_HTTP_LISTEN_H

#include <stddef.h>

/* A socket that listens at HOST, an address, and PORT, 0: the kernel chooses. -1 with the reason in WHY (of SIZE bytes). */
int http_listen(const char *host, int port, char *why, size_t size);
int http_listen_port(int fd);

#endif
