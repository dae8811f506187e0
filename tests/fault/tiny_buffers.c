/* Preloaded: notifyd on a machine whose net.core.wmem_max is so small that one message hardly fits. */
#include <dlfcn.h>
#include <sys/socket.h>

int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    int (*real)(int, int, int, const void *, socklen_t) =
        (int (*)(int, int, int, const void *, socklen_t))dlsym(RTLD_NEXT, "setsockopt");
    int tiny = 4096;
    if (level == SOL_SOCKET && name == SO_SNDBUF)
        return real(fd, level, name, &tiny, sizeof tiny);
    return real(fd, level, name, value, size);
}
