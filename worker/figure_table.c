/*
 * figure_table - what notifyd tells of itself, as tables
 *
 * Pure. Nothing here knows what a figure means: its type says how its words are shown, its set of labels how its cells are
 * called. Names and helps are ours and need no escaping; neither do words of labels, which come from lists.
 */
#include "worker/figure_table.h"

#include <inttypes.h>

#include "common/base/check.h"
#include "common/base/figures.h"

#define ROW(e, t, l, w, h) {FIGURE_NAME(t, w), h, FIGURE_TYPE_##t, LABELS_##l, COUNT_##e, CELLS_##l},
const struct figure figure_table[] = {COUNTER_LIST(ROW)};

struct word {
    const char *word, *help;
};

#define WORD(e, w, h) {w, h},
static const struct word batches[] = {BATCH_LIST(WORD)};
static const struct word servers[] = {SERVER_LIST(WORD)};
static const struct word queues[] = {QUEUE_CLASS_LIST(WORD)};
static const struct word found[] = {SWEPT_LIST(WORD)};
static const struct word causes[] = {END_CAUSE_LIST(WORD)};
static const struct word processes[] = {PROCESS_LIST(WORD)};
static const struct word stages[] = {MATCH_LIST(WORD)};
static const struct word reasons[] = {REASON_LIST(WORD)};
static const struct word versions[] = {{NOTIFY_VERSION, "the version of notifyd"}};

#define KIND_WORD(A, kind, rate, help) {#kind, NULL},
static const struct word kinds[] = {KIND_TABLE(KIND_WORD, ){
    "unknown", "the integration is gone, or of a kind that this version does not know"}};

/* A label: its words, and which of them are shown before anything was counted. */
struct label {
    const char *name;
    const struct word *words;
    size_t count, first, end;
    const char *others; /* where the words are described; NULL: with the label */
};

#define ALL(name, words, others)                                                                             \
    {                                                                                                        \
        name, words, sizeof words / sizeof words[0], 0, sizeof words / sizeof words[0], others               \
    }
#define REASONS "`notifyctl --list reasons`"

static const struct label label_kind = ALL("kind", kinds, NULL);
static const struct label label_batch = ALL("batch", batches, NULL);
static const struct label label_server = ALL("server", servers, NULL);
static const struct label label_queue = ALL("queue", queues, NULL);
static const struct label label_found = ALL("found", found, NULL);
static const struct label label_cause = ALL("cause", causes, NULL);
static const struct label label_process = ALL("process", processes, NULL);
static const struct label label_version = ALL("version", versions, NULL);
static const struct label label_stage = {"stage", stages, MATCH_COUNT, MATCH_FIRES + 1, MATCH_COUNT, NULL};
/* Those before the rows of deliveries are of messages; a few are of either. */
static const struct label label_reason_message = {
    "reason", reasons, REASON_COUNT, REASON_NONE + 1, REASON_ROW_REFUSED + 1, REASONS};
static const struct label label_reason_delivery = {"reason",         reasons,      REASON_COUNT,
                                                   REASON_NOT_FOUND, REASON_COUNT, REASONS};

/* The second varies faster; NULL: there is none. */
static const struct label *const label_sets[][2] = {
    [LABELS_NONE] = {NULL, NULL},
    [LABELS_KIND] = {&label_kind, NULL},
    [LABELS_KIND_REASON] = {&label_kind, &label_reason_delivery},
    [LABELS_REASON] = {&label_reason_message, NULL},
    [LABELS_STAGE] = {&label_stage, NULL},
    [LABELS_BATCH] = {&label_batch, NULL},
    [LABELS_SERVER] = {&label_server, NULL},
    [LABELS_QUEUE] = {&label_queue, NULL},
    [LABELS_FOUND] = {&label_found, NULL},
    [LABELS_CAUSE] = {&label_cause, NULL},
    [LABELS_PROCESS] = {&label_process, NULL},
    [LABELS_VERSION] = {&label_version, NULL},
};

#define TYPE_WORDS(e, words, type, help) words,
#define TYPE_NAME(e, words, type, help)  type,
static const size_t type_words[] = {FIGURE_TYPE_LIST(TYPE_WORDS)};
static const char *const type_names[] = {FIGURE_TYPE_LIST(TYPE_NAME)};

size_t figure_words(enum figure_type type)
{
    return type_words[type];
}

enum figure_kind figure_kind(const struct dest *dest)
{
    size_t i = 0;
    while (dest && dest_all[i] && dest_all[i] != dest)
        i++;
    return dest && dest_all[i] ? (enum figure_kind)i : FIGURE_KIND_UNKNOWN;
}

/* ---- shown */

static bool is_of_interest(const struct label *label, size_t index)
{
    return index >= label->first && index < label->end;
}

static bool is_shown_at_zero(const struct figure *f, size_t cell)
{
    const struct label *const *labels = label_sets[f->labels];
    if (!labels[0])
        return true;
    if (f->type == FIGURE_TYPE_SECONDS || f->type == FIGURE_TYPE_ITEMS)
        return false;
    if (!labels[1])
        return is_of_interest(labels[0], cell);
    return is_of_interest(labels[0], cell / labels[1]->count) &&
           is_of_interest(labels[1], cell % labels[1]->count);
}

/* `kind="slack",reason="gone"`, or nothing. */
static void show_labels(struct buf *b, const struct figure *f, size_t cell)
{
    const struct label *const *labels = label_sets[f->labels];
    if (labels[0] && labels[1])
        buf_printf(b, "%s=\"%s\",%s=\"%s\"", labels[0]->name, labels[0]->words[cell / labels[1]->count].word,
                   labels[1]->name, labels[1]->words[cell % labels[1]->count].word);
    else if (labels[0])
        buf_printf(b, "%s=\"%s\"", labels[0]->name, labels[0]->words[cell].word);
}

static void show_name(struct buf *b, const struct figure *f, const char *suffix, size_t cell)
{
    buf_printf(b, "%s%s", f->name, suffix);
    if (!label_sets[f->labels][0])
        return;
    buf_printf(b, "{");
    show_labels(b, f, cell);
    buf_printf(b, "}");
}

enum { WORD_NAME_MAX = 200 }; /* bytes of a word's name */

static enum figure_word word_kind(enum figure_type type)
{
    return type == FIGURE_TYPE_GAUGE    ? FIGURE_WORD_GAUGE
           : type == FIGURE_TYPE_LATEST ? FIGURE_WORD_LATEST
                                        : FIGURE_WORD_SUM;
}

static void name_words(const struct figure *f, char **names)
{
    size_t words = figure_words(f->type);
    for (size_t i = 0; i < f->cells * words; i++) {
        const struct histogram_scale *scale =
            f->type == FIGURE_TYPE_SECONDS ? &histogram_seconds : &histogram_items;
        struct buf b;
        buf_init(&b, WORD_NAME_MAX);
        buf_add_char(&b, (char)word_kind(f->type));
        show_name(&b, f, "", i / words);
        if (words > 1 && i % words < HISTOGRAM_BOUNDS)
            buf_printf(&b, "/%g", (double)scale->bounds[i % words] * scale->unit);
        else if (words > 1)
            buf_add_text(&b, i % words == HISTOGRAM_SUM ? "/sum" : "/more");
        check(!b.overflow);
        names[f->at + i] = mem_strdup(buf_text(&b));
        buf_free(&b);
    }
}

const char *figure_word_name(size_t word)
{
    static char *names[COUNTER_COUNT];
    if (!names[0])
        for (const struct figure *f = figure_table; f < figure_table + FIGURE_COUNT; f++)
            name_words(f, names);
    return names[word];
}

static void show_histogram(struct buf *b, const struct figure *f, size_t cell, const uint64_t *words)
{
    const struct histogram_scale *scale =
        f->type == FIGURE_TYPE_SECONDS ? &histogram_seconds : &histogram_items;
    const char *comma = label_sets[f->labels][0] ? "," : "";
    uint64_t sum = 0;
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        sum += words[i];
    if (!sum && !is_shown_at_zero(f, cell))
        return;
    sum = 0;
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++) {
        sum += words[i];
        buf_printf(b, "%s_bucket{", f->name);
        show_labels(b, f, cell);
        if (i < HISTOGRAM_BOUNDS)
            buf_printf(b, "%sle=\"%g\"} %" PRIu64 "\n", comma, (double)scale->bounds[i] * scale->unit, sum);
        else
            buf_printf(b, "%sle=\"+Inf\"} %" PRIu64 "\n", comma, sum);
    }
    show_name(b, f, "_sum", cell);
    buf_printf(b, " %.6f\n", (double)words[HISTOGRAM_SUM] * scale->unit);
    show_name(b, f, "_count", cell);
    buf_printf(b, " %" PRIu64 "\n", sum);
}

static void show_cell(struct buf *b, const struct figure *f, size_t cell, const uint64_t *words,
                      const struct figures_asked *asked)
{
    switch (f->type) {
    case FIGURE_TYPE_SECONDS:
    case FIGURE_TYPE_ITEMS:
        show_histogram(b, f, cell, words);
        return;
    case FIGURE_TYPE_ASKED:
    case FIGURE_TYPE_LATEST:
        show_name(b, f, "", cell);
        buf_printf(b, " %.15g\n", asked->values[f - figure_table][cell]);
        return;
    default:
        if (!*words && !is_shown_at_zero(f, cell))
            return;
        show_name(b, f, "", cell);
        buf_printf(b, " %" PRIu64 "\n", *words);
    }
}

void figures_show(struct buf *b, const uint64_t *words, const struct figures_asked *asked)
{
    for (const struct figure *f = figure_table; f < figure_table + FIGURE_COUNT; f++) {
        figures_begin(b, f->name, type_names[f->type], f->help);
        for (size_t cell = 0; cell < f->cells; cell++)
            show_cell(b, f, cell, words + f->at + cell * figure_words(f->type), asked);
    }
}

/* ---- listed */

static void print_labels(FILE *out, const struct figure *f, const char *quote)
{
    for (int i = 0; i < 2 && label_sets[f->labels][i]; i++)
        fprintf(out, "%s%s%s%s", i ? ", " : "", quote, label_sets[f->labels][i]->name, quote);
}

static void print_figure(FILE *out, const struct figure *f, bool markdown)
{
    if (markdown) {
        fprintf(out, "| `%s` | %s | ", f->name, type_names[f->type]);
        print_labels(out, f, "`");
        fprintf(out, " | %s |\n", f->help);
        return;
    }
    fprintf(out, "%s (%s", f->name, type_names[f->type]);
    if (label_sets[f->labels][0])
        fputs(" by ", out);
    print_labels(out, f, "");
    fprintf(out, ")\n    %s\n", f->help);
}

static void print_words(FILE *out, const struct label *label, bool markdown)
{
    const char *quote = markdown ? "`" : "";
    for (size_t i = label->first; !label->others && i < label->end; i++) {
        if (label == &label_version)
            fprintf(out, markdown ? "| `version` | | %s |\n" : "version=...\n    %s\n", label->words[i].help);
        else if (markdown)
            fprintf(out, "| `%s` | `%s` | %s |\n", label->name, label->words[i].word,
                    label->words[i].help ? label->words[i].help : "");
        else
            fprintf(out, "%s=%s\n    %s\n", label->name, label->words[i].word,
                    label->words[i].help ? label->words[i].help : "integrations of this kind");
    }
    if (label->others && markdown)
        fprintf(out, "| %s%s%s | | %s |\n", quote, label->name, quote, label->others);
}

void figures_print_help(FILE *out, bool markdown)
{
    static const struct label *const labels[] = {
        &label_kind,  &label_reason_delivery, &label_stage, &label_queue,   &label_server,
        &label_batch, &label_found,           &label_cause, &label_process, &label_version};
    if (markdown)
        fputs("| metric | type | labels | what it says |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < FIGURE_COUNT; i++)
        print_figure(out, &figure_table[i], markdown);
    fputs(markdown ? "\n| label | value | what it says |\n|---|---|---|\n" : "\n", out);
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        print_words(out, labels[i], markdown);
}
