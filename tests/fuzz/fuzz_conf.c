/*
 * fuzz_conf - any bytes as a configuration file
 *
 * Nothing may crash, leak or run for ever, and a file is either good or has an error that says so. Inputs
 * with
 * @include are left out: libconfig would open whatever file they name. libconfig 1.5 loses the string that it
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char include[] = "@include";
    struct conf_errors errors;
    if (size > 65536 || memmem(data, size, include, strlen(include)))
        return 0;
    struct conf *conf = conf_load_text("fuzz", (const char *)data, size, &errors);
    check((conf == NULL) == (errors.list.count > 0));
    for (size_t i = 0; i < errors.list.count; i++)
        check(strncmp(errors.list.items[i], "fuzz", 4) == 0);
    conf_errors_free(&errors);
    conf_free(conf);
    return 0;
}
