/*
 * Many new findings in one message: how many there are, and which are the worst.
 */
#include <string.h>

#include "common/destinations/digest.h"
#include "common/destinations/wording.h"
#include "tests/unit/talk.h"
#include "tests/unit/unit.h"

enum { JOBS = 12 };

struct crowd {
    struct event event;
    struct facts facts[JOBS];
    struct conversation_job jobs[JOBS];
    struct conversation c;
};

static void begin(struct crowd *w, size_t count)
{
    memset(w, 0, sizeof *w);
    w->event = talk_event();
    w->event.type = EVENT_FINDING_NEW;
    for (size_t i = 0; i < count; i++) {
        w->facts[i] = talk_facts();
        w->facts[i].finding.severity = SEVERITY_LOW;
        w->facts[i].finding.has_cvss_score = false;
        w->jobs[i] = (struct conversation_job){.event = &w->event, .facts = &w->facts[i]};
    }
    w->c = (struct conversation){.jobs = w->jobs, .job_count = count};
}

static void set(struct crowd *w, size_t i, enum severity severity, double score)
{
    w->facts[i].finding.severity = severity;
    w->facts[i].finding.has_cvss_score = true;
    w->facts[i].finding.cvss_score = score;
}

static void the_worst_five_are_told_and_all_are_counted(void)
{
    static const size_t worst[] = {3, 9, 0, 7, 11};
    struct crowd w;
    struct digest d;
    begin(&w, JOBS);
    set(&w, 3, SEVERITY_CRITICAL, 5);
    set(&w, 9, SEVERITY_HIGH, 8.5);
    set(&w, 0, SEVERITY_HIGH, 8.1);
    set(&w, 7, SEVERITY_HIGH, 8.1); /* as bad: it stays behind */
    set(&w, 11, SEVERITY_MEDIUM, 9.9);
    set(&w, 5, SEVERITY_MEDIUM, 99); /* no score */
    digest_build(&d, &w.c);
    EXPECT_INT(d.many.count, JOBS);
    EXPECT_INT(d.many.counts[SEVERITY_CRITICAL], 1);
    EXPECT_INT(d.many.counts[SEVERITY_HIGH], 3);
    EXPECT_INT(d.many.counts[SEVERITY_MEDIUM], 2);
    EXPECT_INT(d.many.counts[SEVERITY_LOW], 6);
    EXPECT_INT(d.many.worst_count, 5);
    for (size_t i = 0; i < 5; i++)
        EXPECT(d.many.worst[i] == &w.facts[worst[i]].finding);
    EXPECT(d.facts.digest == &d.many && !d.facts.has_finding && !event_is_about_finding(d.event.type));
}

static void few_are_all_told(void)
{
    struct crowd w;
    struct digest d;
    begin(&w, 2);
    set(&w, 1, SEVERITY_LOW, 3.1);
    digest_build(&d, &w.c);
    EXPECT(d.many.worst_count == 2 && d.many.worst[0] == &w.facts[1].finding &&
           d.many.worst[1] == &w.facts[0].finding);
}

static size_t count_of(const char *text, const char *what)
{
    size_t n = 0;
    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

static void how_many_more_there_are_is_said_behind_the_longest_texts(void)
{
    static char title[501], endpoint[2049];
    struct crowd w;
    struct digest d;
    struct buf out;
    memset(title, 't', sizeof title - 1);
    memset(endpoint, 'e', sizeof endpoint - 1);
    begin(&w, JOBS);
    for (size_t i = 0; i < JOBS; i++) {
        w.facts[i].finding.title = title;
        w.facts[i].finding.endpoint = endpoint;
    }
    digest_build(&d, &w.c);
    buf_init(&out, 65536);
    wording_add_digest_lines(&out, &d.many);
    EXPECT_INT(count_of(buf_text(&out), "\n"), 5);
    EXPECT(strcmp(buf_text(&out) + out.len - 11, "\nand 7 more") == 0 && out.len < 2000);
    buf_free(&out);
}

UNIT_MAIN(UNIT_CASE(the_worst_five_are_told_and_all_are_counted), UNIT_CASE(few_are_all_told),
          UNIT_CASE(how_many_more_there_are_is_said_behind_the_longest_texts))
