/*
 * counters - the names of a slot's figures, in the order of their index
 *
 * A figure is known by its name wherever two builds meet: its index may be another one in each.
 */
#include "worker/counters.h"

const char *counter_name(int index)
{
    static const char *const names[] = {
#define COUNTER_NAME(e, w, h) w,
        COUNTER_LIST(COUNTER_NAME)};
    return names[index];
}
