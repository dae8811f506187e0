#ifndef NOTIFY_TESTS_SETTINGS_CASE_H
#define NOTIFY_TESTS_SETTINGS_CASE_H

#include <stddef.h>

/*
 * Settings, and what a kind of destination says of them. What nobody may see again holds SECRET, in some cases
 * only its first four letters.
 */
struct settings_case {
    const char *json;
    const char *refused; /* words of the reason; JSON: they cannot be read; NULL: they are taken */
    const char *advised; /* words of the advice on settings that are taken; NULL: there is none */
    const char *url;     /* to which the first request about a scan goes; NULL: not looked at */
};

/* Each of an array of cases is taken or refused as it says, and nothing that is said has a secret in it. */
#define EXPECT_SETTINGS(kind, cases) settings_cases_expect(kind, cases, sizeof(cases) / sizeof *(cases))

void settings_cases_expect(const char *kind, const struct settings_case *cases, size_t count);

#endif
