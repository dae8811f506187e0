/*
 * arena - memory that is freed all at once
 *
 * An arena owns a chain of blocks; allocations are cut from the newest. It knows nothing of what is stored.
 * Invariants: held is the sum of the sizes of the blocks; a zeroed struct after arena_init holds nothing.
 */
#include "common/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"

struct arena_block {
    struct arena_block *next;
    size_t size;
    size_t used;
    _Alignas(max_align_t) unsigned char bytes[];
};

void arena_init(struct arena *a, size_t block_size)
{
    memset(a, 0, sizeof *a);
    a->block_size = block_size;
}

static void free_blocks(struct arena *a, int wipe)
{
    struct arena_block *b = a->blocks;
    while (b) {
        struct arena_block *next = b->next;
        if (wipe)
            explicit_bzero(b->bytes, b->size);
        free(b);
        b = next;
    }
    a->blocks = NULL;
    a->held = 0;
}

void arena_free(struct arena *a)
{
    free_blocks(a, 0);
}

void arena_wipe(struct arena *a)
{
    free_blocks(a, 1);
}

static struct arena_block *add_block(struct arena *a, size_t need)
{
    size_t size = need > a->block_size ? need : a->block_size;
    struct arena_block *b = mem_alloc(sizeof *b + size);
    b->size = size;
    b->used = 0;
    /* A block made for one large request goes behind the current one, whose rest stays usable. */
    if (need > a->block_size && a->blocks) {
        b->next = a->blocks->next;
        a->blocks->next = b;
    } else {
        b->next = a->blocks;
        a->blocks = b;
    }
    a->held += size + sizeof *b;
    return b;
}

static void *take(struct arena *a, size_t size)
{
    check(size < SIZE_MAX / 2);
    size_t need = (size + (sizeof(max_align_t) - 1)) & ~(sizeof(max_align_t) - 1);
    struct arena_block *b = a->blocks;
    if (!b || b->size - b->used < need)
        b = add_block(a, need);
    void *p = b->bytes + b->used;
    b->used += need;
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    void *p = take(a, size);
    memset(p, 0, size);
    return p;
}

char *arena_text(struct arena *a, const char *bytes, size_t n)
{
    char *p = take(a, n + 1);
    if (n)
        memcpy(p, bytes, n);
    p[n] = 0;
    return p;
}

char *arena_strdup(struct arena *a, const char *text)
{
    return text ? arena_text(a, text, strlen(text)) : NULL;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    check(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return p;
}
