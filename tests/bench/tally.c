/*
 * tally - what a receiver has seen
 *
 * Owns the figures of each path and the table of ids. Bounded: PATHS_MAX paths, SECONDS_MAX seconds (later ones count
 * in the last), IDS_MAX ids (others are counted as lost). Ids are kept as 64-bit hashes: in a million of them two
 * fall together once in forty million runs.
 */
#include "tests/bench/tally.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/hash.h"
#include "tests/bench/histogram.h"
#include "tests/bench/sent.h"

enum { PATHS_MAX = 256, PATH_MAX_SIZE = 200, SECONDS_MAX = 3600, IDS_MAX = 1 << 22, IDS_FIRST = 1 << 14 };

struct tally_path {
    char *name;
    uint64_t requests;
    uint64_t body_bytes;
    uint64_t answers[TALLY_ANSWERS];
    int64_t first_ns, last_ns;
    uint32_t per_second[SECONDS_MAX];
    struct histogram latency;
};

struct id_count {
    uint64_t hash; /* 0: free */
    uint32_t times;
};

static struct tally_path *paths[PATHS_MAX];
static size_t path_count;
static struct id_count *ids;
static size_t id_slots, id_count;
static uint64_t without_id, lost_ids;
static int64_t begun_ns;

struct tally_path *tally_path_new(const char *path, size_t size)
{
    if (path_count == PATHS_MAX || size > PATH_MAX_SIZE)
        return NULL;
    struct tally_path *p = mem_zalloc(sizeof *p);
    p->name = mem_alloc(size + 1);
    memcpy(p->name, path, size);
    p->name[size] = 0;
    paths[path_count++] = p;
    return p;
}

/* The slot of HASH, free or taken: there is always a free one. */
static struct id_count *slot_of(uint64_t hash)
{
    size_t at = (size_t)hash & (id_slots - 1);
    while (ids[at].hash != 0 && ids[at].hash != hash)
        at = (at + 1) & (id_slots - 1);
    return &ids[at];
}

static void grow_ids(void)
{
    struct id_count *old = ids;
    size_t old_slots = id_slots;
    id_slots = old_slots ? 2 * old_slots : IDS_FIRST;
    ids = mem_zalloc(id_slots * sizeof *ids);
    for (size_t i = 0; i < old_slots; i++)
        if (old[i].hash)
            *slot_of(old[i].hash) = old[i];
    free(old);
}

static void count_id(const char *id, size_t size)
{
    uint64_t hash = hash_bytes(id, size) | 1;
    if (2 * id_count >= id_slots && id_slots < 2 * (size_t)IDS_MAX)
        grow_ids();
    struct id_count *slot = slot_of(hash);
    if (!slot->hash && id_count >= IDS_MAX) {
        lost_ids++;
        return;
    }
    if (!slot->hash)
        id_count++;
    slot->hash = hash;
    slot->times++;
}

void tally_request(struct tally_path *p, const char *id, size_t id_size, int64_t sent_ns, size_t body_size)
{
    int64_t now = sent_now_ns(), second = (now - begun_ns) / 1000000000;
    if (p->requests++ == 0)
        p->first_ns = now;
    p->last_ns = now;
    p->body_bytes += body_size;
    p->per_second[second < SECONDS_MAX ? second : SECONDS_MAX - 1]++;
    if (sent_ns >= 0)
        histogram_add(&p->latency, (now - sent_ns) / 1000);
    if (id)
        count_id(id, id_size);
    else
        without_id++;
}

void tally_answered(struct tally_path *p, enum tally_answer answer)
{
    p->answers[answer]++;
}

void tally_reset(void)
{
    begun_ns = sent_now_ns();
    for (size_t i = 0; i < path_count; i++) {
        struct tally_path *p = paths[i];
        char *name = p->name;
        memset(p, 0, sizeof *p);
        p->name = name;
    }
    free(ids);
    ids = NULL;
    id_slots = id_count = 0;
    without_id = lost_ids = 0;
}

static void add_number(struct buf *out, const char *key, uint64_t value)
{
    buf_json_key(out, key);
    buf_add_int(out, (int64_t)value);
}

static void add_seconds(struct buf *out, const char *key, int64_t at_ns)
{
    buf_json_key(out, key);
    buf_json_number(out, (double)(at_ns - begun_ns) / 1e9);
}

static void add_per_second(struct buf *out, const struct tally_path *p)
{
    size_t seconds = p->requests ? (size_t)((p->last_ns - begun_ns) / 1000000000) + 1 : 0;
    buf_json_open_list(out, "per_second");
    for (size_t i = 0; i < seconds && i < SECONDS_MAX; i++) {
        if (i)
            buf_add_char(out, ',');
        buf_add_int(out, p->per_second[i]);
    }
    buf_add_char(out, ']');
}

static void add_path(struct buf *out, const struct tally_path *p)
{
    buf_json_key(out, p->name);
    buf_add_char(out, '{');
    add_number(out, "requests", p->requests);
    add_number(out, "body_bytes", p->body_bytes);
    add_number(out, "delivered", p->answers[TALLY_DELIVERED]);
    add_number(out, "refused", p->answers[TALLY_REFUSED]);
    add_number(out, "silent", p->answers[TALLY_SILENCE]);
    if (p->requests) {
        add_seconds(out, "first_s", p->first_ns);
        add_seconds(out, "last_s", p->last_ns);
    }
    add_per_second(out, p);
    histogram_add_json(&p->latency, "latency_ms", out);
    buf_add_char(out, '}');
}

static void add_ids(struct buf *out)
{
    uint64_t repeated = 0, most = 0;
    for (size_t i = 0; i < id_slots; i++) {
        repeated += ids[i].times > 1;
        if (ids[i].times > most)
            most = ids[i].times;
    }
    buf_json_key(out, "ids");
    buf_add_char(out, '{');
    add_number(out, "distinct", id_count);
    add_number(out, "repeated", repeated);
    add_number(out, "most", most);
    add_number(out, "without", without_id);
    add_number(out, "lost", lost_ids);
    buf_add_char(out, '}');
}

void tally_add_json(struct buf *out)
{
    buf_add_char(out, '{');
    add_seconds(out, "seconds", sent_now_ns());
    buf_json_key(out, "paths");
    buf_add_char(out, '{');
    for (size_t i = 0; i < path_count; i++)
        if (paths[i]->requests)
            add_path(out, paths[i]);
    buf_add_char(out, '}');
    add_ids(out);
    buf_add_char(out, '}');
}
