#ifndef NOTIFY_BASE_ARENA_H
#define NOTIFY_BASE_ARENA_H

#include <stddef.h>

/*
 * Memory that dies together: everything about one message, one workspace's rules, one configuration file.
 * Allocation never fails (out of memory ends the process); nothing is freed singly.
 */
struct arena_block;
struct arena {
    struct arena_block *blocks;
    size_t block_size;
    size_t held; /* bytes taken from the system, for the memory bound */
};

/* BLOCK_SIZE: bytes asked for at a time; larger single requests get a block of their own. */
void arena_init(struct arena *a, size_t block_size);
/* Give everything back. The arena may be used again. */
void arena_free(struct arena *a);
/* As arena_free, but overwrites the memory first: for arenas that hold secrets. */
void arena_wipe(struct arena *a);

/* Aligned for any type, zeroed. Lives as long as the arena. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull));
/* Copy of N bytes with a NUL added behind. */
char *arena_text(struct arena *a, const char *bytes, size_t n) __attribute__((returns_nonnull));
/* Copy of a NUL-terminated text; NULL gives NULL. */
char *arena_strdup(struct arena *a, const char *text);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
