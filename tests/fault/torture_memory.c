/*
 * torture_memory - memory that is not there
 *
 * Stands before the allocator, whichever that is. What dlsym itself asks for while the allocator is not known yet comes
 * from a small store that is never given back.
 */
#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "torture.h"

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
} real;

static enum { UNKNOWN, SEARCHING, KNOWN } state;
static _Alignas(max_align_t) char store[65536];
static size_t stored;

static void *from_store(size_t size)
{
    void *p = store + stored;
    stored += (size + 31) & ~(size_t)15;
    if (stored > sizeof store)
        __builtin_trap();
    return p;
}

static bool is_stored(const void *p)
{
    return (uintptr_t)p >= (uintptr_t)store && (uintptr_t)p < (uintptr_t)(store + sizeof store);
}

static bool is_known(void)
{
    if (state != UNKNOWN)
        return state == KNOWN;
    state = SEARCHING;
    real.malloc = torture_real("malloc");
    real.calloc = torture_real("calloc");
    real.realloc = torture_real("realloc");
    real.free = torture_real("free");
    real.posix_memalign = torture_real("posix_memalign");
    real.aligned_alloc = torture_real("aligned_alloc");
    state = KNOWN;
    return true;
}

static bool is_within(const void *caller, const char *library)
{
    Dl_info info = {0};
    return torture_table && torture_table->spare && dladdr(caller, &info) && info.dli_fname &&
           strstr(info.dli_fname, library);
}

#define CALLER __builtin_return_address(0)

/*
 * No memory for CALLER. libconfig 1.5 and Kerberos 1.20 do not look whether they got any. libc's own are mostly of files that
 * are open, which a child would share with us.
 */
static bool fails_for(const void *caller)
{
    return !is_within(caller, "libc.so") && !is_within(caller, "libgssapi_krb5") &&
           !is_within(caller, "libconfig") && torture_fails(TORTURE_MEMORY, ENOMEM);
}

void *malloc(size_t size)
{
    if (!is_known())
        return from_store(size);
    return fails_for(CALLER) ? NULL : real.malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (!is_known())
        return from_store(count * size);
    return fails_for(CALLER) ? NULL : real.calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    if (is_stored(old)) {
        void *moved = malloc(size);
        return moved ? memcpy(moved, old, size) : NULL; /* the store is longer than any of it */
    }
    if (!is_known())
        return from_store(size);
    return fails_for(CALLER) ? NULL : real.realloc(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
    return realloc(old, count * size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (!is_known() || torture_fails(TORTURE_MEMORY, ENOMEM))
        return ENOMEM;
    return real.posix_memalign(out, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    if (!is_known() || torture_fails(TORTURE_MEMORY, ENOMEM))
        return NULL;
    return real.aligned_alloc(alignment, size);
}

/* json-c 0.16 does not look whether it got its copy of an object's key. */
char *strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    bool spared = is_within(CALLER, "libjson-c") || is_within(CALLER, "libconfig");
    char *copy = spared && is_known() ? real.malloc(size) : malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

/* glibc 2.36 keeps its lock when it finds no memory, and the next call waits for ever. */
locale_t newlocale(int which, const char *name, locale_t base)
{
    bool spared = torture_table && torture_table->spare;
    if (!spared)
        return TORTURE_REAL(newlocale)(which, name, base);
    if (fails_for(CALLER))
        return NULL;
    torture_pause();
    locale_t made = TORTURE_REAL(newlocale)(which, name, base);
    torture_go_on();
    return made;
}

void free(void *p)
{
    if (p && !is_stored(p) && is_known())
        real.free(p);
}
