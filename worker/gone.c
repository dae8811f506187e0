/*
 * gone - whether a destination has said that it is gone
 *
 * Words that several processes write without a lock. `row` is written last and looked at twice, so that what is found beside
 * it belongs to it; what a race spoils is a probe more or less.
 *
 * Times of the ledger come back through the database's clock and the way there, so what it says of the same moment as this
 * host is not later: it may be what this host told it, from before it found out better.
 */
#include "worker/gone.h"

enum { SAME_MOMENT_US = 100000 };

static void note(struct gone *g, uint64_t row, int64_t at_us, int64_t until_us, int64_t pause_us)
{
    if (g->row != row)
        g->row = 0;
    g->at_us = at_us;
    g->pause_us = pause_us;
    g->until_us = until_us;
    g->row = row;
}

void gone_forget(struct gone *g)
{
    note(g, 0, 0, 0, 0);
}

struct gone_news gone_known(const struct gone *g, uint64_t row)
{
    struct gone_news news = {GONE_NO_NEWS, 0};
    if (g->row != row)
        return news;
    struct gone_news found = {g->at_us, g->until_us};
    return g->row == row ? found : news;
}

bool gone_is(struct gone *g, const struct gone_rules *rules, uint64_t row, const struct gone_news *ledger,
             int64_t now_us)
{
    struct gone_news here = gone_known(g, row);
    bool is_news =
        here.at_us == GONE_NO_NEWS ? ledger->until_us != 0 : ledger->at_us > here.at_us + SAME_MOMENT_US;
    if (ledger->at_us != GONE_NO_NEWS && is_news) {
        note(g, row, ledger->at_us, ledger->until_us,
             ledger->until_us ? ledger->until_us - ledger->at_us : 0);
        here = *ledger;
    }
    if (!here.until_us || now_us < here.until_us)
        return here.until_us != 0;
    if (atomic_compare_exchange_strong(&g->until_us, &here.until_us, now_us + rules->probe_us))
        return false;
    return here.until_us != 0;
}

/* Who was sent to before that was known says nothing new. */
bool gone_found(struct gone *g, const struct gone_rules *rules, uint64_t row, int64_t now_us)
{
    struct gone_news here = gone_known(g, row);
    bool was_gone = here.until_us != 0;
    int64_t pause = was_gone ? g->pause_us : 0;
    if (was_gone && now_us < here.at_us + pause)
        return false;
    pause = 2 * pause > rules->pause_us ? 2 * pause : rules->pause_us; /* the ledger may say nonsense */
    pause = pause < rules->longest_us ? pause : rules->longest_us;
    note(g, row, now_us, now_us + pause, pause);
    return !was_gone;
}

bool gone_is_back(struct gone *g, uint64_t row, int64_t now_us)
{
    if (!gone_known(g, row).until_us)
        return false;
    note(g, row, now_us, 0, 0);
    return true;
}
