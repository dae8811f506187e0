/*
 * ctl_values - the values of a command's options, read in the forms that they must have
 *
 * Pure but for saying on standard error what is wrong with a value; that is wrong use, before any server was asked.
 * A value is whatever the shell passed on, so each form says what it wants and shows what it got.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/ctl/ctl.h"
#include "api/ctl/ctl_lists.h"
#include "common/base/iso8601.h"
#include "common/base/uuid.h"

static const double age_max = 100 * 365 * 86400.0; /* seconds: older than any row */

const char *ctl_value(const struct ctl *ctl, const char *name)
{
    int option = ctl_find_option(ctl->command, name);
    return option < 0 ? NULL : ctl->values[option];
}

bool ctl_number(const struct ctl *ctl, const char *name, long min, long max, long default_value, long *out)
{
    const char *text = ctl_value(ctl, name);
    *out = default_value;
    if (!text)
        return true;
    char *end;
    errno = 0;
    *out = strtol(text, &end, 10);
    if (!errno && end != text && !*end && *out >= min && *out <= max)
        return true;
    fprintf(stderr, "notifyctl: %s needs a whole number from %ld to %ld, not '%s'\n", name, min, max, text);
    return false;
}

/* Seconds in the unit that TEXT names; 0: it names none. */
static double unit_of(const char *text)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(text, units[i].name) == 0)
            return units[i].seconds;
    return 0;
}

bool ctl_age(const struct ctl *ctl, const char *name, double *out)
{
    const char *text = ctl_value(ctl, name);
    *out = -1;
    if (!text)
        return true;
    size_t digits = strspn(text, "0123456789.");
    char *end;
    double number = strtod(text, &end);
    double unit = unit_of(text + digits);
    if (digits && end == text + digits && unit > 0 && number * unit <= age_max) {
        *out = number * unit;
        return true;
    }
    fprintf(stderr, "notifyctl: %s needs an age as in 90, 30m, 2h or 3d, not '%s'\n", name, text);
    return false;
}

/* People leave out the seconds, or the hour. */
bool ctl_time(const struct ctl *ctl, const char *name, int64_t *out)
{
    static const char *const missing[] = {"", ":00", "T00:00:00"};
    const char *text = ctl_value(ctl, name);
    *out = -1;
    if (!text)
        return true;
    /* Where the zone begins: behind the hour, for a day has signs of its own. */
    size_t zone = strcspn(text, "T ");
    zone += strcspn(text + zone, "+-Zz");
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        char whole[64];
        int n = snprintf(whole, sizeof whole, "%.*s%s%s", (int)(zone < 32 ? zone : 32), text, missing[i],
                         text + zone);
        if (n > 0 && (size_t)n < sizeof whole && iso8601_parse(whole, (size_t)n, out) && *out >= 0)
            return true;
    }
    fprintf(stderr,
            "notifyctl: %s needs a time as in 2026-11-22, 2026-11-22T01:59 or 2026-11-22T01:59:15+01:00, "
            "not '%s'\n",
            name, text);
    return false;
}

bool ctl_is_uuid(const char *name, const char *value)
{
    struct uuid id;
    if (!value || uuid_parse(&id, value))
        return true;
    fprintf(stderr, "notifyctl: %s needs a UUID, not '%s'\n", name, value);
    return false;
}

bool ctl_is_listed(const char *name, const char *value, const char *list_name)
{
    const struct word_list *list = ctl_list_find(list_name);
    if (!value || word_list_help(list, value))
        return true;
    fprintf(stderr, "notifyctl: %s needs one of:", name);
    for (size_t i = 0; i < list->count; i++)
        fprintf(stderr, " %s", list->entries[i].word);
    fprintf(stderr, ", not '%s'\n", value);
    return false;
}
