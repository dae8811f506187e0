/*
 * What a supervisor of another build hands over: its state as text, and the description of its shared memory. Nothing of
 * it is believed before it is checked; what is read is written and read again as the same; what a sound description leads
 * to lies inside.
 *
 * Input: a byte; even: the rest is a state; odd: the rest is put over a good description and what is behind it.
 */
#include "common/base/buf.h"
#include "tests/fuzz/fuzz.h"
#include "worker/handover.h"
#include "worker/kept_settings.h"
#include "worker/shared.h"

enum { ROOM = 4096 };

static void write_all(struct buf *to, const struct handover *h)
{
    buf_init(to, HANDOVER_SIZE);
    handover_write_head(to, h);
    for (size_t i = 0; i < h->figure_count; i++)
        buf_printf(to, "figure %llu %s\n", (unsigned long long)h->figures[i].value, h->figures[i].name);
    for (size_t i = 0; i < h->setting_count; i++)
        handover_write_setting(to, h->settings[i].name, h->settings[i].value);
    handover_write_end(to);
}

/* What is taken is said, and what is said is taken and said as the same. */
static void take_settings(const struct handover *h)
{
    static bool mapped;
    struct buf said[2];
    struct handover again;
    const char *why = NULL;
    if (!mapped)
        shared_map();
    mapped = true;
    for (int round = 0; round < 2; round++) {
        shared_presence()->queue_count = 0;
        for (size_t i = 0; i < h->setting_count; i++)
            if (strcmp(h->settings[i].name, "queues") == 0)
                kept_settings_take(h->settings[i].name, h->settings[i].value);
        check(shared_presence()->queue_count <= PRESENCE_QUEUES);
        buf_init(&said[round], HANDOVER_SIZE);
        struct handover own = *h;
        own.figure_count = 0;
        handover_write_head(&said[round], &own);
        kept_settings_write(&said[round]);
        handover_write_end(&said[round]);
        if (round == 0)
            check(handover_read(&again, said[0].data, said[0].len, &why));
        h = &again;
    }
    check(said[0].len == said[1].len && memcmp(said[0].data, said[1].data, said[0].len) == 0);
    handover_free(&again);
    buf_free(&said[0]);
    buf_free(&said[1]);
}

static void try_state(const uint8_t *data, size_t size)
{
    struct handover h, again;
    struct buf one, other;
    const char *why = NULL;
    char *copy =
        size ? mem_dup(data, size) : mem_zalloc(1); /* of its own size, so that a read behind it is seen */
    bool good = handover_read(&h, copy, size, &why);
    check(why && *why);
    free(copy);
    if (good) {
        check(h.pid > 0 && h.wanted > 0 && h.path[0] == '/' && h.memory >= 0);
        take_settings(&h);
        write_all(&one, &h);
        check(!one.overflow && handover_read(&again, one.data, one.len, &why));
        write_all(&other, &again);
        check(one.len == other.len && memcmp(one.data, other.data, one.len) == 0);
        handover_free(&again);
        buf_free(&one);
        buf_free(&other);
    }
    handover_free(&h);
}

static void see_name(void *owner, int index, const char *name, size_t length)
{
    uint64_t *sum = owner;
    check(index >= 0 && length > 0 && length <= SHARED_NAME_MAX && !memchr(name, '\n', length));
    *sum += (uint64_t)(unsigned char)name[0] + (unsigned char)name[length - 1];
}

static void see(const char *at, size_t size, uint64_t *sum)
{
    *sum += (uint64_t)at[0] + (uint64_t)at[size - 1];
}

static void try_header(const uint8_t *data, size_t size)
{
    static const struct shared_header good = {.magic = SHARED_MAGIC,
                                              .version = SHARED_HEADER_VERSION,
                                              .header_size = sizeof good,
                                              .size = ROOM,
                                              .slots_at = 1024,
                                              .slots = 4,
                                              .slot_stride = 256,
                                              .figures_at = 64,
                                              .names_at = 512,
                                              .figures = 8,
                                              .names_size = 64,
                                              .in_hand_at = 2048,
                                              .in_hand = 16,
                                              .in_hand_slot_bits = 10,
                                              .poison_at = 3072,
                                              .poisons = 4,
                                              .poison_stride = 16};
    struct shared_header *h = mem_zalloc(ROOM);
    uint64_t sum = 0;
    char *bytes = (char *)h;
    *h = good;
    for (size_t i = 0; i + 3 <= size; i += 3)
        bytes[(data[i] | data[i + 1] << 8) % ROOM] = (char)data[i + 2];
    if (shared_header_is_sound(h, ROOM)) {
        shared_header_names(h, see_name, &sum);
        check(shared_header_is_same(h, h));
        for (uint32_t i = 0; i < h->slots; i++)
            see(bytes + h->slots_at + (uint64_t)i * h->slot_stride, h->slot_stride, &sum);
        for (uint32_t i = 0; i < h->in_hand; i++)
            see(bytes + h->in_hand_at + (uint64_t)i * 8, 8, &sum);
        for (uint32_t i = 0; i < h->poisons; i++)
            see(bytes + h->poison_at + (uint64_t)i * h->poison_stride, sizeof(struct shared_poison), &sum);
        check(h->figures_at + (uint64_t)h->figures * 8 <= h->slot_stride);
    }
    free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2)
        try_header(data + 1, size - 1);
    else
        try_state(data + 1, size - 1);
    return 0;
}
