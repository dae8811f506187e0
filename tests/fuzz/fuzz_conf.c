/*
 * Any bytes as a configuration file. Nothing may crash, leak or run for ever, and a file is either good or has errors
 * that say so. Inputs with @include are left out: libconfig would open whatever file they name.
 */
#include "tests/fuzz/conf_check_loaded.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char include[] = "@include";
    struct conf_errors errors;
    if (size > 65536 || memmem(data, size, include, strlen(include)))
        return 0;
    struct conf *conf = conf_load_text("fuzz", (const char *)data, size, &errors);
    conf_check_loaded(conf, &errors);
    conf_errors_free(&errors);
    conf_free(conf);
    return 0;
}
