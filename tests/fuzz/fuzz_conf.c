/*
 * fuzz_conf - any bytes as a configuration file
 *
 * Nothing may crash, leak or run for ever, and a file is either good, and then every number is in its range, or has
 * errors that say so, each on one line. Inputs with @include are left out: libconfig would open whatever file they name. libconfig 1.5 loses the string that it
 * holds when it meets a syntax error; that leak is its own.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/base/check.h"
#include "common/base/conf_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig";
}

static void check_range(const struct conf *conf, const struct conf_row *row)
{
    const char *at = (const char *)conf + row->offset;
    double value = 0;
    if (row->type == CONF_INT)
        value = (double)*(const long *)(const void *)at;
    else if (row->type == CONF_NUM)
        value = *(const double *)(const void *)at;
    else
        return;
    check(value >= row->min && value <= row->max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char include[] = "@include";
    struct conf_errors errors;
    if (size > 65536 || memmem(data, size, include, strlen(include)))
        return 0;
    struct conf *conf = conf_load_text("fuzz", (const char *)data, size, &errors);
    check((conf == NULL) == (errors.list.count > 0));
    for (size_t i = 0; i < errors.list.count; i++)
        check(strncmp(errors.list.items[i], "fuzz", 4) == 0 && !strpbrk(errors.list.items[i], "\r\n\033"));
    for (size_t i = 0; conf && i < CONF_ROW_COUNT; i++)
        check_range(conf, &conf_rows[i]);
    conf_errors_free(&errors);
    conf_free(conf);
    return 0;
}
