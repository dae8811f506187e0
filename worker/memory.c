/*
 * memory - libraries that run out of memory end the process, too
 *
 * A library that goes on without memory leaves something out: an event that is not watched, an option (a proxy, a
 * certificate authority) that is not set, settings that seem not to open. None of that can be seen from outside, and
 * each does harm for as long as the process lives. So libevent, OpenSSL and curl get our allocation (check.h). What
 * cannot be told so reports each failure: libpq and librabbitmq (the link fails), json-c (base/json), zlib.
 */
#include "worker/memory.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "common/base/check.h"

/* OpenSSL asks for nothing with a size of 0, and wants NULL. */
static void *crypto_alloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return size ? mem_alloc(size) : NULL;
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

static void *crypto_realloc(void *old, size_t size, const char *file, int line)
{
    if (size)
        return mem_realloc(old, size);
    crypto_free(old, file, line);
    return NULL;
}

void memory_guard(void)
{
    check(CRYPTO_set_mem_functions(crypto_alloc, crypto_realloc, crypto_free) == 1);
    event_set_mem_functions(mem_alloc, mem_realloc, free);
}

void memory_guard_curl(void)
{
    mem_check(curl_global_init_mem(CURL_GLOBAL_DEFAULT, mem_alloc, free, mem_realloc, mem_strdup,
                                   mem_calloc) == CURLE_OK);
}
