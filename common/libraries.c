/*
 * libraries - how those that we use allocate, log and give up
 *
 * A library that goes on without memory leaves something out: an event that is not watched, an option (a proxy, a
 * certificate authority) that is not set, settings that seem not to open. None of that can be seen from outside, and
 * each does harm for as long as the process lives. So libevent, OpenSSL and curl get our allocation (check.h). What
 * cannot be told so reports each failure: libpq and librabbitmq (the link fails), json-c (base/json), zlib.
 *
 * libevent writes its log to standard error, whatever our format, and ends a process that lacks descriptors.
 *
 * librabbitmq asks for pages as large as the largest frame it may take (worker/amqp_link.h: 16 MiB), and touches few of
 * their bytes. Given as mappings of their own they cost what is touched. But glibc raises the size from which it maps
 * to that of the largest mapping that was ever freed, so that after a lost link such pages came from the heap, were
 * cleared whole, and a worker held 70 MiB. A size that is set stays.
 */
#include "common/libraries.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/log.h"

enum {
    MAP_FROM = 1 << 20, /* bytes; larger than any buffer that comes and goes with each message */
    TRIM_FROM = 2 << 20 /* bytes free at the heap's end; glibc's own ratio to the above */
};

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

static void on_event_log(int severity, const char *words)
{
    LOG(severity == EVENT_LOG_ERR    ? LOG_ERROR
        : severity == EVENT_LOG_WARN ? LOG_WARN
                                     : LOG_DEBUG,
        "libevent", LOG_TEXT("words", words));
}

/* Its words have been logged. */
static void on_event_fatal(int code)
{
    (void)code;
    _exit(EXIT_NO_RESOURCES);
}

void libraries_begin(void)
{
    mallopt(M_MMAP_THRESHOLD, MAP_FROM); /* says no under a sanitizer, whose allocator has no such sizes */
    mallopt(M_TRIM_THRESHOLD, TRIM_FROM);
    check(CRYPTO_set_mem_functions(crypto_alloc, crypto_realloc, crypto_free) == 1);
    /* Begun half, for lack of memory in libc, it would hang at the first random number. */
    mem_check(OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL) == 1);
    event_set_mem_functions(mem_alloc, mem_realloc, free);
    event_set_log_callback(on_event_log);
    event_set_fatal_callback(on_event_fatal);
}

void libraries_begin_curl(void)
{
    mem_check(curl_global_init_mem(CURL_GLOBAL_DEFAULT, mem_alloc, free, mem_realloc, mem_strdup,
                                   mem_calloc) == CURLE_OK);
}
