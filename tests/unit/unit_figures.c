/* Histograms, their words in shared memory, and how figures are shown. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "worker/figure_table.h"
#include "worker/shared.h"

static uint64_t words[COUNTER_COUNT];
static struct figures_asked asked;

static void each_value_is_in_the_first_bucket_whose_bound_holds_it(void)
{
    const struct histogram_scale *scales[] = {&histogram_seconds, &histogram_items};
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
            int64_t bound = scales[s]->bounds[i];
            EXPECT(i == 0 || bound > scales[s]->bounds[i - 1]);
            EXPECT_INT(histogram_bucket(scales[s], bound), i);
            EXPECT_INT(histogram_bucket(scales[s], bound + 1), i + 1);
        }
        EXPECT_INT(histogram_bucket(scales[s], 0), 0);
        EXPECT_INT(histogram_bucket(scales[s], -5), 0);
        EXPECT_INT(histogram_bucket(scales[s], INT64_MAX), HISTOGRAM_BOUNDS);
        EXPECT_INT(histogram_bucket(scales[s], INT64_MIN), 0);
    }
}

static void figures_have_words_of_their_own(void)
{
    size_t next = 0;
    for (const struct figure *f = figure_table; f < figure_table + FIGURE_COUNT; f++) {
        EXPECT_INT(f->at, next);
        next += f->cells * figure_words(f->type);
    }
    EXPECT_INT(next, COUNTER_COUNT);
    EXPECT_INT(figure_kind(dest_find("webhook")), FIGURE_KIND_webhook);
    EXPECT_INT(figure_kind(dest_find("splunk")), FIGURE_KIND_splunk);
    EXPECT_INT(figure_kind(NULL), FIGURE_KIND_UNKNOWN);
}

static char *shown(void)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    figures_show(&b, words, &asked);
    char *copy = strdup(buf_text(&b));
    buf_free(&b);
    return copy;
}

static void expect_line(const char *text, const char *line)
{
    const char *at = strstr(text, line);
    EXPECT(at && at > text && at[-1] == '\n');
}

static void a_histogram_is_shown_cumulative_with_what_is_beyond_its_last_bound(void)
{
    size_t at = COUNT_REQUEST_TIME + FIGURE_KIND_slack * HISTOGRAM_WORDS;
    memset(words, 0, sizeof words);
    words[at] = 2;                    /* half a millisecond at most */
    words[at + 1] = 3;                /* a millisecond */
    words[at + HISTOGRAM_BOUNDS] = 4; /* longer than half a day */
    words[at + HISTOGRAM_SUM] = 2500000;
    char *text = shown();
    expect_line(text, "notify_request_seconds_bucket{kind=\"slack\",le=\"0.0005\"} 2\n");
    expect_line(text, "notify_request_seconds_bucket{kind=\"slack\",le=\"0.001\"} 5\n");
    expect_line(text, "notify_request_seconds_bucket{kind=\"slack\",le=\"43200\"} 5\n");
    expect_line(text, "notify_request_seconds_bucket{kind=\"slack\",le=\"+Inf\"} 9\n");
    expect_line(text, "notify_request_seconds_sum{kind=\"slack\"} 2.500000\n");
    expect_line(text, "notify_request_seconds_count{kind=\"slack\"} 9\n");
    EXPECT(!strstr(text, "notify_request_seconds_bucket{kind=\"teams\""));
    expect_line(text,
                "notify_first_attempt_seconds_bucket{le=\"+Inf\"} 0\n"); /* has no labels: always there */
    free(text);
}

static void what_may_count_is_shown_before_it_does(void)
{
    memset(words, 0, sizeof words);
    words[COUNT_DEAD + FIGURE_KIND_UNKNOWN * REASON_COUNT + REASON_BAD_BODY] =
        1; /* no reason of a delivery */
    words[COUNT_DEAD + FIGURE_KIND_github * REASON_COUNT + REASON_GONE] = 7;
    char *text = shown();
    expect_line(text, "notify_deliveries_dead_total{kind=\"github\",reason=\"gone\"} 7\n");
    expect_line(text, "notify_deliveries_dead_total{kind=\"webhook\",reason=\"gone\"} 0\n");
    expect_line(text, "notify_deliveries_dead_total{kind=\"unknown\",reason=\"bad_body\"} 1\n");
    EXPECT(!strstr(text, "{kind=\"webhook\",reason=\"bad_body\"}") && !strstr(text, "reason=\"none\""));
    expect_line(text, "notify_messages_rejected_total{reason=\"bad_body\"} 0\n");
    expect_line(text, "notify_worker_restarts_total{cause=\"watchdog\"} 0\n");
    EXPECT(!strstr(text, "stage=\"fires\""));
    free(text);
}

static int note_in_child(void)
{
    shared_note_us(COUNT_REQUEST_TIME, FIGURE_KIND_jira, 300);
    shared_note_us(COUNT_REQUEST_TIME, FIGURE_KIND_jira, -1);
    shared_note_items(COUNT_BATCH_ITEMS, BATCH_LEDGER, 1000000);
    shared_count_cell_more(COUNT_FILTERED, MATCH_SEVERITY, 5);
    shared_gauge(COUNT_RULES_BYTES, 4096);
    shared_gauge_add(COUNT_WINDOWS, 3);
    shared_gauge_add(COUNT_WINDOWS, -1);
    shared_gauge(COUNT_LAST_RECEIVED, 77);
    return 0;
}

static int run(int slot)
{
    int status = 1;
    pid_t pid = fork();
    if (pid == 0) {
        shared_adopt(slot);
        _exit(note_in_child());
    }
    waitpid(pid, &status, 0);
    return status;
}

/* While the process lives, and after its slot is free again. */
static void expect_gauges(uint64_t bytes, uint64_t windows)
{
    shared_totals(words);
    EXPECT_INT(words[COUNT_RULES_BYTES], bytes);
    EXPECT_INT(words[COUNT_WINDOWS], windows);
}

static void sums_outlive_their_process_and_gauges_do_not(void)
{
    size_t times = COUNT_REQUEST_TIME + FIGURE_KIND_jira * HISTOGRAM_WORDS;
    size_t items = COUNT_BATCH_ITEMS + BATCH_LEDGER * HISTOGRAM_WORDS;
    shared_map();
    for (uint64_t round = 1; round <= 3; round++) {
        int slot = shared_slot_claim(SHARED_WORKER);
        EXPECT_INT(slot, 0); /* the same again */
        EXPECT_INT(run(slot), 0);
        expect_gauges(4096, 2);
        shared_slot_release(slot);
        expect_gauges(0, 0);
        EXPECT_INT(words[times], 2 * round);
        EXPECT_INT(words[times + HISTOGRAM_SUM], 300 * round); /* what is negative adds nothing */
        EXPECT_INT(words[items + HISTOGRAM_BOUNDS], round);
        EXPECT_INT(words[COUNT_FILTERED + MATCH_SEVERITY], 5 * round);
        EXPECT_INT(words[COUNT_LAST_RECEIVED], 77); /* the latest, no sum, and kept */
    }
}

static void the_supervisor_counts_in_a_slot_of_its_own(void)
{
    uint64_t before = shared_sum_cells(FIGURE_WORKER_ENDS);
    shared_count_cell(COUNT_WORKER_ENDS, END_CRASH);
    shared_count_cell(COUNT_WORKER_ENDS, END_WATCHDOG);
    EXPECT_INT(shared_sum_cells(FIGURE_WORKER_ENDS) - before, 2);
    EXPECT(shared_slots_used() < SHARED_SUPERVISOR);
}

UNIT_MAIN(UNIT_CASE(each_value_is_in_the_first_bucket_whose_bound_holds_it),
          UNIT_CASE(figures_have_words_of_their_own),
          UNIT_CASE(a_histogram_is_shown_cumulative_with_what_is_beyond_its_last_bound),
          UNIT_CASE(what_may_count_is_shown_before_it_does),
          UNIT_CASE(sums_outlive_their_process_and_gauges_do_not),
          UNIT_CASE(the_supervisor_counts_in_a_slot_of_its_own))
