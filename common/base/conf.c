/*
 * conf - one configuration from a file, the environment and secret files
 *
 * Reads everything, checks everything, and only then says whether it is usable: an operator sees all errors
 * at once. Precedence: default, file, *_file, environment. A struct conf is complete and immutable once it is
 * returned; its texts live in its arena, which is wiped when it is freed.
 *
 * Promises: no error text holds the value of a secret, or any part of a secret file. Any program may call
 * conf_load; it knows nothing of what the settings are for (conf_rules.c does).
 */
#include "common/base/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/conf_read.h"

enum {
    SECRET_FILE_MAX = 65536, /* bytes; room for hundreds of keys */
    ARENA_BLOCK = 4096,
};

/* A secret, the setting that names a file for it, and the variable that overrides both. */
static const struct secret_source {
    enum conf_row_id value;
    enum conf_row_id file;
    const char *variable;
} secret_sources[] = {
    {CONF_ROW_broker_url, CONF_ROW_broker_url_file, "AMQP_URL"},
    {CONF_ROW_database_url, CONF_ROW_database_url_file, "DATABASE_URL"},
    {CONF_ROW_secrets_fernet_keys, CONF_ROW_secrets_fernet_keys_file, "FERNET_KEY"},
};

static void add_error(struct conf_errors *errors, const char *text)
{
    struct conf_texts *list = &errors->list;
    /* Grows at powers of two; the old arrays stay in the arena. */
    if ((list->count & (list->count - 1)) == 0) {
        const char **bigger =
            arena_alloc(&errors->arena, (list->count ? 2 * list->count : 1) * sizeof *list->items);
        if (list->count)
            memcpy(bigger, list->items, list->count * sizeof *list->items);
        list->items = bigger;
    }
    list->items[list->count++] = text;
}

void conf_refuse(struct conf_reader *r, enum conf_row_id row, const char *format, ...)
{
    char why[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    const char *where = r->where[row] ? r->where[row] : r->file;
    r->refused[row] = true;
    add_error(r->errors, arena_printf(&r->errors->arena, "%s: %s: %s", where, conf_rows[row].path, why));
}

void conf_refuse_at(struct conf_reader *r, const char *where, const char *format, ...)
{
    char why[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    add_error(r->errors, arena_printf(&r->errors->arena, "%s: %s", where, why));
}

/* Read the whole of PATH into OUT; 0, -errno, or -EFBIG when it is longer than OUT's maximum. */
static int read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    char piece[4096];
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR)) {
        if (n > 0)
            buf_add(out, piece, (size_t)n);
        if (out->overflow)
            break;
    }
    int error = n < 0 ? -errno : out->overflow ? -EFBIG : 0;
    explicit_bzero(piece, sizeof piece);
    close(fd);
    return error;
}

static void read_conf_file(struct conf_reader *r)
{
    struct buf text;
    buf_init(&text, CONF_FILE_MAX);
    int error = read_file(r->file, &text);
    if (error == -EFBIG)
        conf_refuse_at(r, r->file, "is longer than %d bytes; is this the right file?", CONF_FILE_MAX);
    else if (error)
        conf_refuse_at(r, r->file, "cannot be read: %s; give the right file with -c FILE", strerror(-error));
    r->unreadable = error != 0;
    if (text.len && !error)
        conf_read_text(r, text.data, text.len);
    buf_wipe(&text);
}

static void store_secret(struct conf_reader *r, enum conf_row_id row, const char *text,
                         const char *separators)
{
    void *field = (char *)r->conf + conf_rows[row].offset;
    if (conf_rows[row].type == CONF_SECRETS)
        conf_split(&r->conf->arena, text, separators, field);
    else
        *(const char **)field = arena_strdup(&r->conf->arena, text);
}

static void read_secret_file(struct conf_reader *r, const struct secret_source *source, const char *path)
{
    struct buf text;
    buf_init(&text, SECRET_FILE_MAX);
    int error = read_file(path, &text);
    while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.data[--text.len] = '\0';

    bool many_lines = conf_rows[source->value].type == CONF_SECRETS;
    if (error == -EFBIG)
        conf_refuse(r, source->file, "%s is longer than %d bytes; it must hold the secret alone", path,
                    SECRET_FILE_MAX);
    else if (error)
        conf_refuse(r, source->file, "%s cannot be read: %s; check the path and who may read it", path,
                    strerror(-error));
    else if (!text.len)
        conf_refuse(r, source->file, "%s is empty; write the secret into it", path);
    else if (memchr(text.data, '\0', text.len) || (!many_lines && strpbrk(text.data, "\r\n")))
        conf_refuse(r, source->file, "%s must hold %s of text and nothing else", path,
                    many_lines ? "lines" : "one line");
    else {
        store_secret(r, source->value, text.data, "\r\n");
        r->where[source->value] = arena_strdup(&r->errors->arena, path);
    }
    buf_wipe(&text);
}

/* The environment wins over the file; without it the *_file settings are followed. OUTSIDE false: neither. */
static void read_secrets(struct conf_reader *r, bool outside)
{
    for (size_t i = 0; i < sizeof secret_sources / sizeof secret_sources[0]; i++) {
        const struct secret_source *source = &secret_sources[i];
        const char *path = *(const char **)((char *)r->conf + conf_rows[source->file].offset);
        if (path[0] && r->where[source->value])
            conf_refuse(r, source->file, "%s is set too; remove one of the two",
                        conf_rows[source->value].path);

        const char *value = outside ? getenv(source->variable) : NULL;
        if (value && value[0]) {
            store_secret(r, source->value, value, ",");
            r->where[source->value] =
                arena_printf(&r->errors->arena, "environment variable %s", source->variable);
        } else if (outside && path[0] && !r->where[source->value]) {
            read_secret_file(r, source, path);
        }
    }
}

static void open_reader(struct conf_reader *r, const char *file, struct conf_errors *errors)
{
    memset(errors, 0, sizeof *errors);
    arena_init(&errors->arena, ARENA_BLOCK);
    memset(r, 0, sizeof *r);
    r->conf = mem_zalloc(sizeof *r->conf);
    arena_init(&r->conf->arena, ARENA_BLOCK);
    r->errors = errors;
    r->file = file ? arena_strdup(&errors->arena, file) : "configuration";
    conf_read_defaults(r);
}

/* RULES, MORE: may be NULL. */
static struct conf *close_reader(struct conf_reader *r, conf_check_fn *rules, conf_check_fn *more)
{
    if (!r->unreadable && rules)
        rules(r);
    if (!r->unreadable && more)
        more(r);
    if (!r->errors->list.count)
        return r->conf;
    conf_free(r->conf);
    return NULL;
}

struct conf *conf_load_with(const char *file, conf_check_fn *more, struct conf_errors *errors)
{
    struct conf_reader r;
    open_reader(&r, file, errors);
    if (file)
        read_conf_file(&r);
    read_secrets(&r, true);
    return close_reader(&r, conf_check_rules, more);
}

struct conf *conf_load(const char *file, struct conf_errors *errors)
{
    return conf_load_with(file, NULL, errors);
}

struct conf *conf_load_part(const char *file, bool (*wanted)(const char *path), struct conf_errors *errors)
{
    struct conf_reader r;
    open_reader(&r, file, errors);
    r.wanted = wanted;
    if (file)
        read_conf_file(&r);
    return close_reader(&r, conf_check_api_address, NULL);
}

struct conf *conf_load_text(const char *name, const char *text, size_t n, struct conf_errors *errors)
{
    struct conf_reader r;
    open_reader(&r, name, errors);
    char *copy = mem_alloc(n + 1);
    if (n)
        memcpy(copy, text, n);
    copy[n] = '\0';
    conf_read_text(&r, copy, n);
    free(copy);
    read_secrets(&r, false);
    return close_reader(&r, conf_check_rules, NULL);
}

void conf_errors_free(struct conf_errors *errors)
{
    arena_free(&errors->arena);
    memset(&errors->list, 0, sizeof errors->list);
}

void conf_free(struct conf *conf)
{
    if (!conf)
        return;
    arena_wipe(&conf->arena);
    free(conf);
}

bool conf_is_shadow(const struct conf *conf)
{
    return strcmp(conf->mode, "shadow") == 0;
}
