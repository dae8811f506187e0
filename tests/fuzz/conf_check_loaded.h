#ifndef NOTIFY_TESTS_CONF_CHECK_LOADED_H
#define NOTIFY_TESTS_CONF_CHECK_LOADED_H

#include <string.h>

#include "common/base/check.h"
#include "common/base/conf_read.h"

/* libconfig 1.5 loses the string that it holds when it meets a syntax error; that leak is its own. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig";
}

static inline void conf_check_range(const struct conf *conf, const struct conf_row *row)
{
    const void *at = (const char *)conf + row->offset;
    double value = 0;
    if (row->type == CONF_INT)
        value = (double)*(const long *)at;
    else if (row->type == CONF_NUM)
        value = *(const double *)at;
    else
        return;
    check(value >= row->min && value <= row->max);
}

/* A file "fuzz" is either good, and then every number is in its range, or has errors that say so, each on one line. */
static inline void conf_check_loaded(const struct conf *conf, const struct conf_errors *errors)
{
    check((conf == NULL) == (errors->list.count > 0));
    for (size_t i = 0; i < errors->list.count; i++)
        check(strncmp(errors->list.items[i], "fuzz", 4) == 0 && !strpbrk(errors->list.items[i], "\r\n\033"));
    for (size_t i = 0; conf && i < CONF_ROW_COUNT; i++)
        conf_check_range(conf, &conf_rows[i]);
}

#endif
