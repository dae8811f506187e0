/*
 * record - an event as data, as far as it is the same for every kind that sends one
 *
 * Pure. The members are the contract's (section 5) and only grow.
 */
#include "common/destinations/record.h"

#include "common/destinations/wording.h"

void record_open(struct buf *b, const char *name)
{
    buf_add_char(b, '{');
    buf_json_member(b, "tool", "pencheff");
    buf_json_member(b, "version", "1");
    buf_json_member(b, "event", name);
}

void record_add_test(struct buf *b)
{
    record_open(b, "test");
    buf_json_member(b, "message", WORDING_TEST);
    buf_add_char(b, '}');
}

void record_add_id(struct buf *b, const char *key, const struct uuid *id)
{
    char text[UUID_TEXT];
    uuid_format(id, text);
    buf_json_member(b, key, text);
}
