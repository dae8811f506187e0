/* What is kept of the filters' answers is what they would say again. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/model/match.h"
#include "tests/unit/unit.h"
#include "worker/rules.h"

enum { MANY = 300, FEW = 5, QUESTIONS = 20000 };

static unsigned seed = 7;

static unsigned chance(unsigned below)
{
    seed = seed * 1103515245 + 12345;
    return (seed >> 16) % below;
}

static struct uuid targets[3];
static const char *const kinds[] = {"url", "repo", NULL, "llm",
                                    "a kind that is longer than the column of the product"};

static void make(struct rules_integration *all, size_t count)
{
    static const char *const wanted[] = {"repo", "llm"};
    for (size_t i = 0; i < 3; i++)
        targets[i].bytes[0] = (unsigned char)(i + 1);
    for (size_t i = 0; i < count; i++) {
        struct integration *row = &all[i].row;
        memset(row, 0, sizeof *row);
        row->enabled = chance(5) != 0;
        row->target_ids = chance(2) ? &targets[chance(2)] : NULL;
        row->target_count = row->target_ids ? 1 : 0;
        row->all_events = chance(2) != 0;
        row->event_mask = chance(32);
        row->all_target_kinds = chance(3) != 0;
        row->target_kinds = (const char **)wanted;
        row->target_kind_count = 1 + chance(2);
        row->severity_filter = (enum severity)chance(SEVERITY_COUNT);
    }
}

static void compare(struct matches *m, struct rules_integration *all, size_t count)
{
    struct facts facts;
    int held_back[MATCH_COUNT] = {0};
    size_t n = 0;
    enum event_type type = (enum event_type)chance(EVENT_TYPE_COUNT);
    memset(&facts, 0, sizeof facts);
    facts.target.id = targets[chance(3)];
    facts.target.kind = kinds[chance(sizeof kinds / sizeof *kinds)];
    facts.finding.severity = (enum severity)chance(SEVERITY_COUNT);
    const struct matches_found *found = matches_find(m, all, count, type, &facts);
    for (size_t i = 0; i < count; i++) {
        enum match_verdict verdict = match_integration(&all[i].row, type, &facts);
        if (verdict != MATCH_FIRES) {
            held_back[verdict]++;
            continue;
        }
        EXPECT(n < found->count && found->fires[n] == &all[i]);
        n++;
    }
    EXPECT_INT(found->count, n);
    EXPECT(memcmp(found->held_back, held_back, sizeof held_back) == 0);
}

static void compare_many(size_t count)
{
    struct rules_integration *all = mem_calloc(count + 1, sizeof *all);
    struct matches m = {0};
    make(all, count);
    for (int i = 0; i < QUESTIONS; i++)
        compare(&m, all, count);
    EXPECT(m.held < 64 * (count * sizeof(void *) + 512));
    matches_free(&m);
    EXPECT_INT(m.held, 0);
    free(all);
}

static void what_is_kept_is_what_the_filters_say(void)
{
    compare_many(MANY);
}

static void few_integrations_are_asked_each_time(void)
{
    compare_many(FEW);
    compare_many(0);
}

UNIT_MAIN(UNIT_CASE(what_is_kept_is_what_the_filters_say), UNIT_CASE(few_integrations_are_asked_each_time))
