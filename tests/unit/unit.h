#ifndef NOTIFY_TESTS_UNIT_H
#define NOTIFY_TESTS_UNIT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A unit test program: a table of named cases.
 *
 *     static void adds_two_numbers(void) { EXPECT(1 + 1 == 2); EXPECT_TEXT("a", "a"); }
 *     UNIT_MAIN(UNIT_CASE(adds_two_numbers))
 *
 * `unit_x --list` prints the names, `unit_x --all` runs all and prints "ok NAME" or "not ok NAME: why" per
 * line, `unit_x NAME...` runs some. Names are sentences. Exit 1 when a case failed. A failed EXPECT ends its
 * case.
 */
struct unit_case {
    const char *name;
    void (*run)(void);
};

/*
 * USUAL, or RARE where UNIT_RARE is set in the environment: the step of a loop over very many values, of
 * which a machine that is some forty times slower (valgrind) takes fewer.
 */
int unit_step(int usual, int rare);

int unit_main(int argc, char **argv, const struct unit_case *cases, size_t count);
_Noreturn void unit_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define UNIT_CASE(function)                                                                                  \
    {                                                                                                        \
#function, function                                                                                  \
    }
#define UNIT_MAIN(...)                                                                                       \
    int main(int argc, char **argv)                                                                          \
    {                                                                                                        \
        static const struct unit_case cases[] = {__VA_ARGS__};                                               \
        return unit_main(argc, argv, cases, sizeof cases / sizeof cases[0]);                                 \
    }

#define EXPECT(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            unit_fail(__FILE__, __LINE__, "expected %s", #condition);                                        \
    } while (0)
#define EXPECT_INT(got, want)                                                                                \
    do {                                                                                                     \
        long long got_ = (long long)(got), want_ = (long long)(want);                                        \
        if (got_ != want_)                                                                                   \
            unit_fail(__FILE__, __LINE__, "%s is %lld, expected %lld", #got, got_, want_);                   \
    } while (0)
#define EXPECT_TEXT(got, want) unit_expect_text(__FILE__, __LINE__, #got, (got), (want))

void unit_expect_text(const char *file, int line, const char *what, const char *got, const char *want);

#endif
