/*
 * unit - runs a table of named cases and reports each on a line
 *
 * A failed expectation jumps back here, so the case's memory may leak; leak checking is switched off for a
 * run in which something failed. Knows nothing of what is tested.
 */
#include "tests/unit/unit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/libraries.h"

static jmp_buf back;
static char failure[1024];

_Noreturn void unit_fail(const char *file, int line, const char *format, ...)
{
    char why[768];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    snprintf(failure, sizeof failure, "%s:%d: %s", file, line, why);
    longjmp(back, 1);
}

void unit_expect_text(const char *file, int line, const char *what, const char *got, const char *want)
{
    if (got == want || (got && want && strcmp(got, want) == 0))
        return;
    unit_fail(file, line, "%s is \"%.300s\", expected \"%.300s\"", what, got ? got : "(null)",
              want ? want : "(null)");
}

static bool wanted(const char *name, int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--all") == 0)
        return true;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return false;
}

int unit_main(int argc, char **argv, const struct unit_case *cases, size_t count)
{
    volatile int ran = 0, failed = 0; /* kept over a longjmp */
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < count; i++)
            puts(cases[i].name);
        return 0;
    }
    libraries_begin(); /* as the daemon does */
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < count; i++) {
        if (!wanted(cases[i].name, argc, argv))
            continue;
        ran++;
        if (setjmp(back) == 0) {
            cases[i].run();
            printf("ok %s\n", cases[i].name);
        } else {
            failed++;
            printf("not ok %s: %s\n", cases[i].name, failure);
        }
    }
    fflush(stdout);
    if (failed)
        _exit(1); /* what a broken-off case held is no leak */
    return ran ? 0 : 2;
}

int unit_step(int usual, int rare)
{
    return getenv("UNIT_RARE") ? rare : usual;
}
