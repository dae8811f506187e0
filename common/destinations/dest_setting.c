/*
 * dest_setting - settings by their keys
 *
 * Pure. The tables stand beside the functions that read the settings.
 */
#include "common/destinations/dest_setting.h"

#include <string.h>

#include "common/base/hint.h"
#include "common/destinations/dest.h"

const struct dest_setting *dest_setting_find(const struct dest *dest, const char *key)
{
    for (const struct dest_setting *s = dest->settings; s->key; s++)
        if (strcmp(s->key, key) == 0)
            return s;
    return NULL;
}

const struct dest_setting *dest_setting_near(const struct dest *dest, const char *key)
{
    const struct dest_setting *near = NULL;
    size_t distance = 0;
    for (const struct dest_setting *s = dest->settings; s->key; s++) {
        size_t d = hint_distance(key, s->key);
        if (s->old || d > hint_limit(key, s->key) || (near && d >= distance))
            continue;
        near = s;
        distance = d;
    }
    return near;
}
