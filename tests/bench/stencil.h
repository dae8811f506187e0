#ifndef NOTIFY_BENCH_STENCIL_H
#define NOTIFY_BENCH_STENCIL_H

#include <amqp.h>
#include <amqp_framing.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A message that Celery once published, with places for what differs from event to event. Celery was given these
 * words, and they are overwritten wherever they stand, in the properties and in the body.
 */
#define STENCIL_ID      "00000000-0000-4000-8000-00000000000a"
#define STENCIL_SCAN    "00000000-0000-4000-8000-00000000000b"
#define STENCIL_FINDING "00000000-0000-4000-8000-00000000000c"
#define STENCIL_SENT    "00000000000000000000"
enum { STENCIL_UUID = 36 };

struct stencil;

/*
 * PROPERTIES_FILE: flags and values as in a content header frame; BODY_FILE: the body. Ends the process when a file
 * cannot be read or has no place for one of the words.
 */
struct stencil *stencil_read(const char *properties_file, const char *body_file);
void stencil_free(struct stencil *s);

/* ID, SCAN and FINDING: STENCIL_UUID characters each. */
void stencil_fill(struct stencil *s, const char *id, const char *scan, const char *finding, int64_t sent_ns);
/* What to publish now; borrowed until the next stencil_fill. */
const amqp_basic_properties_t *stencil_properties(const struct stencil *s);
amqp_bytes_t stencil_body(const struct stencil *s);

#endif
