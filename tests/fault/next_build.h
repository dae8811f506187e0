#ifndef NOTIFY_TESTS_NEXT_BUILD_H
#define NOTIFY_TESTS_NEXT_BUILD_H

/*
 * Included before all else in notifyd-next, the other build of tests/fault/test_upgrade.py: another version, and a counter
 * before all others, so that each has another index and a slot another size.
 */
#undef NOTIFY_VERSION
#define NOTIFY_VERSION        "0.2.0-next"
#define COUNTER_LIST_FIRST(X) X(NEXT, COUNTER, NONE, "of_the_next_build", "what only this build counts")

#endif
