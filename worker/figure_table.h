#ifndef NOTIFY_WORKER_FIGURE_TABLE_H
#define NOTIFY_WORKER_FIGURE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/buf.h"
#include "common/destinations/dest.h"
#include "worker/counters.h"

/* The lists of counters.h as tables, and what is made of them. */
struct figure {
    const char *name; /* as Prometheus has it */
    const char *help;
    enum figure_type type;
    enum label_set labels;
    size_t at;    /* its first word */
    size_t cells; /* each of figure_words(type) words */
};

/* FIGURE_COUNT of them, in the order of the list. */
extern const struct figure figure_table[];

/* Words of a cell; 0: none are kept. */
size_t figure_words(enum figure_type type);
/*
 * The name of a word of a slot, the same in every build that has it: what becomes of it when memories of two builds meet (FIGURE_WORD_*),
 * the figure's name with its labels, and of a histogram the bound. Good for as long as the process lives.
 */
const char *figure_word_name(size_t word);
enum figure_word { FIGURE_WORD_SUM = '+', FIGURE_WORD_GAUGE = '=', FIGURE_WORD_LATEST = '^' };
/* Which one a destination is; NULL: its integration is gone, or of a kind that is not known. */
enum figure_kind figure_kind(const struct dest *dest);

/* What the agent found out: of ASKED and LATEST, by cell. */
struct figures_asked {
    double values[FIGURE_COUNT][PROCESS_COUNT];
};

/*
 * All figures in Prometheus's text format 0.0.4. WORDS: COUNTER_COUNT of them, summed up. Counters with labels that may count are
 * shown from the start, so that an increase can be told from a beginning; histograms with labels when there is something in them.
 */
void figures_show(struct buf *b, const uint64_t *words, const struct figures_asked *asked);
/* The list, for people, or as the page docs/metrics.md has it. */
void figures_print_help(FILE *out, bool markdown);

#endif
