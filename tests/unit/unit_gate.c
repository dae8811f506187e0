/* Who may send, who waits, and who is held back. */
#include <stdlib.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "tests/unit/unit.h"
#include "worker/gate.h"
#include "worker/shared.h"

enum { PASSES = 100 };

/* What wants to send; `order` is the place at which it heard. */
struct wish {
    struct gate_pass pass;
    int admitted;
    int held_back;
    int order;
};

static int heard;
static unsigned char fresh; /* integrations are others than those of the case before */
static int64_t now_us = 1000000000;

static int64_t fake_mono(void)
{
    return now_us;
}

static const struct clock_table fake_clock = {fake_mono, fake_mono};

static void on_admitted(struct gate_pass *pass)
{
    struct wish *w = list_entry(pass, struct wish, pass);
    w->admitted++;
    w->order = heard++;
}

static void on_held_back(struct gate_pass *pass)
{
    struct wish *w = list_entry(pass, struct wish, pass);
    w->held_back++;
    w->order = heard++;
}

/* A gate on a loop of its own, with every integration unknown. */
struct stage {
    struct event_base *base;
    struct conf conf;
    struct gate *gate;
    struct wish wishes[PASSES];
    int count;
};

static struct stage *begin(void)
{
    static bool mapped;
    if (!mapped)
        shared_map();
    mapped = true;
    shared_adopt(shared_slot_claim(SHARED_WORKER));
    clock_in_use = &fake_clock;
    heard = 0;
    fresh++;
    struct stage *s = mem_zalloc(sizeof *s);
    s->base = event_base_new();
    s->conf.delivery_per_integration = 8;
    s->conf.delivery_connections = 20;
    s->conf.delivery_timeout = 5;
    s->conf.gate_patience = 2;
    s->conf.gate_window = 2;
    s->conf.gate_line = 10;
    s->conf.gate_circuit_least = 4;
    s->conf.gate_circuit_share = 0.5;
    s->conf.gate_circuit_pause = 5;
    s->conf.gate_circuit_max = 60;
    s->gate = gate_new(s->base, &s->conf);
    return s;
}

static void finish(struct stage *s)
{
    gate_free(s->gate);
    event_base_free(s->base);
    free(s);
}

static void turn(struct stage *s)
{
    for (int i = 0; i < 3; i++)
        event_base_loop(s->base, EVLOOP_NONBLOCK);
}

static struct wish *enter(struct stage *s, unsigned char integration, int rank)
{
    struct wish *w = &s->wishes[s->count++];
    w->pass.integration.bytes[0] = fresh;
    w->pass.integration.bytes[15] = integration;
    w->pass.dest = dest_find("webhook");
    w->pass.rank = rank;
    w->pass.admitted = on_admitted;
    w->pass.held_back = on_held_back;
    gate_enter(s->gate, &w->pass);
    return w;
}

static void leave(struct stage *s, struct wish *w, enum limits_outcome outcome)
{
    struct gate_end end = {.outcome = outcome};
    check(w->admitted == 1);
    gate_leave(s->gate, &w->pass, &end);
    turn(s);
}

static void a_window_begins_with_two_and_grows_with_each_success(void)
{
    struct stage *s = begin();
    struct wish *w[24];
    for (int i = 0; i < 24; i++)
        w[i] = enter(s, 1, 0);
    turn(s);
    EXPECT(w[0]->admitted && w[1]->admitted && !w[2]->admitted);
    leave(s, w[0], LIMITS_SUCCESS);
    EXPECT(w[2]->admitted && w[3]->admitted && !w[4]->admitted);
    for (int i = 1; i < 16; i++)
        leave(s, w[i], LIMITS_SUCCESS);
    EXPECT_INT(shared_mine()->sending, 8);
    leave(s, w[16], LIMITS_FAILURE);
    EXPECT_INT(shared_mine()->sending, 7); /* the window is 4 now */
    EXPECT(!w[23]->held_back);
    finish(s);
}

static void the_worst_goes_first_and_the_oldest_of_them(void)
{
    struct stage *s = begin();
    struct wish *first = enter(s, 1, 0), *second = enter(s, 1, 0);
    turn(s);
    struct wish *low = enter(s, 1, 1), *critical = enter(s, 1, 4), *later = enter(s, 1, 4);
    leave(s, first, LIMITS_NOTHING);
    EXPECT(critical->admitted && !later->admitted && !low->admitted);
    leave(s, second, LIMITS_NOTHING);
    EXPECT(later->admitted && !low->admitted);
    leave(s, later, LIMITS_NOTHING);
    EXPECT(low->admitted);
    finish(s);
}

static void integrations_take_turns_for_the_workers_connections(void)
{
    struct stage *s = begin();
    s->conf.delivery_connections = 4;
    for (int i = 0; i < 6; i++)
        enter(s, 1, 0);
    for (int i = 0; i < 6; i++)
        enter(s, 2, 0);
    turn(s);
    EXPECT(s->wishes[0].admitted && s->wishes[1].admitted && s->wishes[6].admitted && s->wishes[7].admitted);
    EXPECT_INT(heard, 4);
    finish(s);
}

static void the_least_severe_of_a_long_line_is_held_back_when_others_are_sent_to(void)
{
    struct stage *s = begin();
    for (int i = 0; i < 12; i++)
        enter(s, 1, i == 5 ? 0 : 2);
    turn(s);
    struct wish *alone = enter(s, 1, 2);
    turn(s);
    EXPECT_INT(heard, 2); /* both that run: it is alone, and its line may grow */
    enter(s, 2, 0);
    struct wish *critical = enter(s, 1, 4);
    turn(s);
    EXPECT(s->wishes[5].held_back && !alone->held_back && !critical->held_back);
    enter(s, 2, 0);
    struct wish *low = enter(s, 1, 1);
    turn(s);
    EXPECT(low->held_back);
    finish(s);
}

static void nobody_waits_longer_than_the_patience(void)
{
    struct stage *s = begin();
    s->conf.gate_patience = 0.05;
    gate_free(s->gate);
    s->gate = gate_new(s->base, &s->conf);
    struct wish *a = enter(s, 1, 0), *b = enter(s, 1, 0);
    turn(s);
    struct wish *waits = enter(s, 1, 4);
    turn(s);
    EXPECT(a->admitted && b->admitted && !waits->held_back);
    now_us += 100000;
    event_base_loop(s->base, EVLOOP_ONCE); /* the timer is of the real time */
    turn(s);
    EXPECT(waits->held_back && !waits->admitted);
    finish(s);
}

static void who_would_wait_too_long_is_held_back_at_once(void)
{
    struct stage *s = begin();
    enter(s, 1, 0), enter(s, 1, 0);
    turn(s);
    now_us += 1500000; /* no answer for so long: each of the line would wait as long */
    struct wish *one = enter(s, 1, 0), *two = enter(s, 1, 0), *three = enter(s, 1, 0);
    turn(s);
    EXPECT(!one->held_back && !two->held_back && three->held_back);
    finish(s);
}

static void an_open_circuit_holds_all_back_and_a_probe_closes_it(void)
{
    struct stage *s = begin();
    for (int i = 0; i < 6; i++)
        enter(s, 1, 0);
    turn(s);
    for (int i = 0; i < 4; i++)
        leave(s, &s->wishes[i], LIMITS_FAILURE);
    EXPECT_INT(shared_sum_cells(FIGURE_CIRCUITS), 1);
    EXPECT(s->wishes[4].held_back && s->wishes[5].held_back);
    struct wish *late = enter(s, 1, 4);
    turn(s);
    EXPECT(late->held_back && gate_pause(&late->pass.integration) > 4);
    EXPECT_INT(gate_room(s->gate, &late->pass.integration, 32), 0);
    now_us += 5000000;
    EXPECT_INT(gate_room(s->gate, &late->pass.integration, 32), 1);
    struct wish *probe = enter(s, 1, 0), *next = enter(s, 1, 0);
    turn(s);
    EXPECT(probe->admitted && !next->admitted && !next->held_back);
    leave(s, probe, LIMITS_SUCCESS);
    EXPECT(next->admitted);
    finish(s);
}

static void at_a_limited_rate_newcomers_go_behind_those_in_the_mailbox(void)
{
    struct stage *s = begin();
    s->conf.gate_rate_webhook = 10;
    struct wish *first = enter(s, 1, 0);
    turn(s);
    EXPECT(first->admitted);
    leave(s, first, LIMITS_SUCCESS);
    gate_note_mailbox(&first->pass.integration, true);
    now_us += 1000000;
    struct wish *newcomer = enter(s, 1, 4);
    turn(s);
    EXPECT(newcomer->held_back);
    gate_note_mailbox(&first->pass.integration, false);
    newcomer = enter(s, 1, 4);
    turn(s);
    EXPECT(newcomer->admitted);
    finish(s);
}

static void no_more_is_taken_from_a_mailbox_than_can_start_soon(void)
{
    struct stage *s = begin();
    struct wish *a = enter(s, 1, 0), *b = enter(s, 1, 0);
    turn(s);
    const struct uuid *id = &a->pass.integration;
    EXPECT_INT(gate_room(s->gate, id, 32), 2); /* as many as may run at a time: nothing is known yet */
    now_us += 1000000;
    EXPECT_INT(gate_room(s->gate, id, 32), 6); /* no answer for a second, and the patience is two */
    now_us += 9000000;
    EXPECT_INT(gate_room(s->gate, id, 32), 2);
    leave(s, a, LIMITS_FAILURE);
    leave(s, b, LIMITS_SUCCESS);
    EXPECT_INT(gate_room(s->gate, id, 32), 2); /* requests take ten seconds */
    for (int i = 0; i < 60; i++)
        leave(s, (turn(s), a = enter(s, 1, 0), turn(s), a), LIMITS_SUCCESS);
    EXPECT_INT(gate_room(s->gate, id, 32), 32);
    finish(s);
}

static void nothing_from_a_mailbox_starts_when_it_is_closed(void)
{
    struct stage *s = begin();
    enter(s, 1, 0), enter(s, 1, 0);
    turn(s);
    s->wishes[2].pass.from_mailbox = true;
    struct wish *waits = enter(s, 1, 0), *newcomer = enter(s, 1, 0);
    turn(s);
    EXPECT(!waits->held_back && !newcomer->held_back);
    gate_close_mailbox(s->gate);
    s->wishes[4].pass.from_mailbox = true;
    struct wish *comes = enter(s, 1, 0);
    turn(s);
    EXPECT(waits->held_back && comes->held_back && !newcomer->held_back);
    finish(s);
}

static void who_has_lost_the_place_in_shared_memory_takes_a_new_one(void)
{
    struct stage *s = begin();
    struct wish *one = enter(s, 1, 0);
    turn(s);
    struct uuid other = {{1, fresh}};
    now_us += 1000000;
    for (int i = 0; i < 8 * SHARED_LIMITS; i++) {
        memcpy(other.bytes + 4, &i, sizeof i);
        shared_limits(&other, now_us);
    }
    struct gate_end end = {.outcome = LIMITS_THROTTLED, .hold_s = 30};
    gate_leave(s->gate, &one->pass, &end);
    EXPECT(gate_pause(&one->pass.integration) > 29);
    finish(s);
}

static void what_is_new_of_an_integration_is_reported_once(void)
{
    struct stage *s = begin();
    struct gate_report report;
    EXPECT(!gate_take_report(s->gate, &report));
    for (int i = 0; i < 4; i++)
        enter(s, 1, 0);
    turn(s);
    leave(s, &s->wishes[0], LIMITS_SUCCESS);
    leave(s, &s->wishes[1], LIMITS_SUCCESS);
    EXPECT(gate_take_report(s->gate, &report));
    EXPECT(report.success_us == now_us && !report.failure_us);
    EXPECT(!gate_take_report(s->gate, &report));
    now_us += 1000000;
    leave(s, &s->wishes[2], LIMITS_FAILURE);
    EXPECT(gate_take_report(s->gate, &report));
    EXPECT(report.failure_us == now_us && !report.success_us);
    leave(s, &s->wishes[3], LIMITS_SUCCESS);
    EXPECT(gate_take_report(s->gate, &report)); /* it works again */
    finish(s);
}

UNIT_MAIN(UNIT_CASE(a_window_begins_with_two_and_grows_with_each_success),
          UNIT_CASE(the_worst_goes_first_and_the_oldest_of_them),
          UNIT_CASE(integrations_take_turns_for_the_workers_connections),
          UNIT_CASE(the_least_severe_of_a_long_line_is_held_back_when_others_are_sent_to),
          UNIT_CASE(nobody_waits_longer_than_the_patience),
          UNIT_CASE(who_would_wait_too_long_is_held_back_at_once),
          UNIT_CASE(an_open_circuit_holds_all_back_and_a_probe_closes_it),
          UNIT_CASE(at_a_limited_rate_newcomers_go_behind_those_in_the_mailbox),
          UNIT_CASE(no_more_is_taken_from_a_mailbox_than_can_start_soon),
          UNIT_CASE(nothing_from_a_mailbox_starts_when_it_is_closed),
          UNIT_CASE(who_has_lost_the_place_in_shared_memory_takes_a_new_one),
          UNIT_CASE(what_is_new_of_an_integration_is_reported_once))
