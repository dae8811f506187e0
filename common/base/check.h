#ifndef NOTIFY_BASE_CHECK_H
#define NOTIFY_BASE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The fourth level of failure: leave the process and let the supervisor start a new one; the broker
 * delivers again what was not acknowledged. See check.c.
 */

/* Abort with the place and the condition when COND is false. Always compiled in. */
#define check(cond)                                                                                          \
    do {                                                                                                     \
        if (__builtin_expect(!(cond), 0))                                                                    \
            check_failed(#cond, __FILE__, __LINE__);                                                         \
    } while (0)

_Noreturn void check_failed(const char *condition, const char *file, int line);

/* How its last line is to look, which is written without the log (log_setup says it). */
void check_setup(bool json, const char *process);

/* The exit status of a process to which the system gave no memory, or no descriptor (EX_OSERR of sysexits.h). */
enum { EXIT_NO_RESOURCES = 71 };

/* End the process as mem_alloc does when COND is false, which of a library's result only lack of memory can make. */
#define mem_check(cond)                                                                                      \
    do {                                                                                                     \
        if (__builtin_expect(!(cond), 0))                                                                    \
            mem_failed(#cond);                                                                               \
    } while (0)

/* Say what was WANTED and end the process with EXIT_NO_RESOURCES. */
_Noreturn void mem_failed(const char *wanted);

/* Allocate; never NULL: out of memory ends the process. The caller owns the result and frees it with free().
 */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *old, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull, nonnull));
void *mem_dup(const void *bytes, size_t size) __attribute__((malloc, returns_nonnull));

#endif
