/*
 * stencil - one message of Celery's, filled again and again
 *
 * Owns the bytes of both files. The library decodes properties in place: what it hands out points into our bytes,
 * so overwriting them there changes the decoded properties too, and nothing is decoded or built per message. All
 * words have a fixed length for that reason.
 */
#include "tests/bench/stencil.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "tests/bench/sent.h"

enum { FILE_MAX = 65536, PLACES_MAX = 16, POOL_PAGE = 4096 };

struct places {
    char *at[PLACES_MAX];
    int count;
};

struct stencil {
    char *head;
    size_t head_size;
    char *body;
    size_t body_size;
    amqp_pool_t pool;
    amqp_basic_properties_t *properties;
    struct places ids, scans, findings, sents;
};

_Noreturn static void refuse(const char *what, const char *why)
{
    fprintf(stderr, "stencil: %s: %s\n", what, why);
    exit(1);
}

static char *read_file(const char *path, size_t *size)
{
    char *bytes = mem_alloc(FILE_MAX);
    FILE *file = fopen(path, "rb");
    if (!file)
        refuse(path, "cannot be opened");
    *size = fread(bytes, 1, FILE_MAX, file);
    if (*size == FILE_MAX)
        refuse(path, "too large");
    fclose(file);
    return bytes;
}

static void find(struct places *p, char *bytes, size_t size, const char *word)
{
    char *end = bytes + size;
    for (char *at = bytes; (at = memmem(at, (size_t)(end - at), word, strlen(word))); at += strlen(word)) {
        if (p->count == PLACES_MAX)
            refuse(word, "stands in too many places");
        p->at[p->count++] = at;
    }
}

/* In the body at least: that is what receivers of the message read. */
static void find_everywhere(struct stencil *s, struct places *p, const char *word)
{
    find(p, s->body, s->body_size, word);
    if (p->count == 0)
        refuse(word, "has no place in the body");
    find(p, s->head, s->head_size, word);
}

struct stencil *stencil_read(const char *properties_file, const char *body_file)
{
    struct stencil *s = mem_zalloc(sizeof *s);
    void *decoded;
    s->head = read_file(properties_file, &s->head_size);
    s->body = read_file(body_file, &s->body_size);
    init_amqp_pool(&s->pool, POOL_PAGE);
    int status =
        amqp_decode_properties(AMQP_BASIC_CLASS, &s->pool, (amqp_bytes_t){s->head_size, s->head}, &decoded);
    if (status != AMQP_STATUS_OK)
        refuse(properties_file, amqp_error_string2(status));
    s->properties = decoded;
    find(&s->ids, s->head, s->head_size, STENCIL_ID); /* Celery has it in headers and properties only */
    if (s->ids.count == 0)
        refuse(STENCIL_ID, "has no place in the properties");
    find_everywhere(s, &s->scans, STENCIL_SCAN);
    find_everywhere(s, &s->findings, STENCIL_FINDING);
    find_everywhere(s, &s->sents, STENCIL_SENT);
    return s;
}

void stencil_free(struct stencil *s)
{
    empty_amqp_pool(&s->pool);
    free(s->head);
    free(s->body);
    free(s);
}

static void write_all(struct places *p, const char *text, size_t size)
{
    for (int i = 0; i < p->count; i++)
        memcpy(p->at[i], text, size);
}

void stencil_fill(struct stencil *s, const char *id, const char *scan, const char *finding, int64_t sent_ns)
{
    char digits[SENT_DIGITS];
    sent_write(digits, sent_ns);
    write_all(&s->ids, id, STENCIL_UUID);
    write_all(&s->scans, scan, STENCIL_UUID);
    write_all(&s->findings, finding, STENCIL_UUID);
    write_all(&s->sents, digits, SENT_DIGITS);
}

const amqp_basic_properties_t *stencil_properties(const struct stencil *s)
{
    return s->properties;
}

amqp_bytes_t stencil_body(const struct stencil *s)
{
    return (amqp_bytes_t){s->body_size, s->body};
}
