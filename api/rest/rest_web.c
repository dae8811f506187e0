/*
 * rest_web - the dashboard: a page, its style sheets and its scripts, for anybody
 *
 * Nothing here is anybody's: the page asks the API for all that it shows, with the token of whoever looks at it. The files are
 * part of the program (api/web/), compressed once at the start. One script is made here: the words of the product with what
 * they mean, so that the page has no list of its own.
 *
 * The policy lets a page do nothing but run our scripts, show our styles and ask this server. There is no inline script or style,
 * and no script can turn a text into one (Trusted Types): what somebody wrote into a finding or an answer stays a text.
 */
#include "api/rest/rest_web.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "api/embedded.h"
#include "common/base/check.h"
#include "common/destinations/dest.h"
#include "common/model/words.h"

enum { FILES_BLOCK = 65536, LISTS_MAX = 65536, GZIP_BITS = 15 + 16 /* with gzip's head */ };

#define PAGE  "index.html"
#define LISTS "lists.js"

static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'";

struct file {
    const char *name;
    struct rest_text plain, packed;
};

struct rest_web {
    struct arena arena; /* of its texts */
    struct file *files;
    size_t count;
};

/* ---- made at the start ---- */

/* As gzip has it. */
static struct rest_text pack(struct arena *arena, const char *bytes, size_t size)
{
    z_stream z = {0};
    mem_check(deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_BITS, MAX_MEM_LEVEL,
                           Z_DEFAULT_STRATEGY) == Z_OK);
    uLong most = deflateBound(&z, (uLong)size);
    char *out = arena_alloc(arena, most);
    z.next_in = (Bytef *)bytes;
    z.avail_in = (uInt)size;
    z.next_out = (Bytef *)out;
    z.avail_out = (uInt)most;
    check(deflate(&z, Z_FINISH) == Z_STREAM_END);
    struct rest_text text = rest_text_of(out, z.total_out);
    text.encoding = "gzip";
    deflateEnd(&z);
    return text;
}

static void add(struct rest_web *w, const char *name, const char *bytes, size_t size)
{
    w->files[w->count++] = (struct file){name, rest_text_of(bytes, size), pack(&w->arena, bytes, size)};
}

/* export default {"states":{"sending":"an attempt is …"}}; */
static void add_lists(struct rest_web *w)
{
    struct buf out;
    buf_init(&out, LISTS_MAX);
    buf_add_text(&out, "export default {");
    for (const struct word_list *l = word_lists; l->name; l++) {
        buf_json_open_object(&out, l->name);
        for (size_t i = 0; i < l->count; i++)
            buf_json_member(&out, l->entries[i].word, l->entries[i].help);
        buf_add_char(&out, '}');
    }
    buf_json_open_object(&out, "kinds");
    for (size_t i = 0; dest_all[i]; i++)
        buf_json_member(&out, dest_all[i]->kind, dest_all[i]->title);
    buf_add_text(&out, "}};\n");
    check(!out.overflow);
    add(w, LISTS, arena_text(&w->arena, buf_text(&out), out.len), out.len);
    buf_free(&out);
}

struct rest_web *rest_web_new(void)
{
    struct rest_web *w = mem_zalloc(sizeof *w);
    size_t count = 1;
    for (const struct embedded_file *f = web_files; f->name; f++)
        count++;
    w->files = mem_zalloc(count * sizeof *w->files);
    arena_init(&w->arena, FILES_BLOCK);
    for (const struct embedded_file *f = web_files; f->name; f++)
        add(w, f->name, f->text, f->size);
    add_lists(w);
    return w;
}

void rest_web_free(struct rest_web *w)
{
    if (!w)
        return;
    arena_free(&w->arena);
    free(w->files);
    free(w);
}

/* ---- answered ---- */

/* Whether a client takes gzip: it names it, and not with a weight of nothing (RFC 9110 section 12.5.3). */
static bool takes_gzip(const char *accept)
{
    while (accept && *accept) {
        size_t n = strcspn(accept, ","), name = strcspn(accept, ",; ");
        const char *weight = strchr(accept, ';');
        if (name == 4 && strncasecmp(accept, "gzip", 4) == 0) {
            bool weighed = weight && weight < accept + n;
            const char *value = weighed ? strchr(weight, '=') : NULL;
            return !value || strtod(value + 1, NULL) > 0;
        }
        accept += n + strspn(accept + n, ", ");
    }
    return false;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), e = strlen(end);
    return n > e && strcmp(name + n - e, end) == 0;
}

static void show(struct asked *a, const char *name, const char *end, const char *type)
{
    const struct rest_web *w = a->rest->web;
    const struct file *found = NULL;
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->files[i].name, name) == 0 && ends_with(name, end))
            found = &w->files[i];
    if (!found) {
        rest_refuse(a, 404, "the dashboard has no such file; load its page again");
        return;
    }
    http_add_header(a->x, "Content-Security-Policy", policy);
    http_add_header(a->x, "Vary", "Accept-Encoding");
    rest_answer_text(a, type,
                     takes_gzip(http_header(a->x, "Accept-Encoding")) ? &found->packed : &found->plain);
}

void rest_show_page(struct asked *a)
{
    show(a, PAGE, ".html", "text/html; charset=utf-8");
}

void rest_show_style(struct asked *a)
{
    show(a, a->words.words[0], ".css", "text/css; charset=utf-8");
}

void rest_show_script(struct asked *a)
{
    show(a, a->words.words[0], ".js", "text/javascript; charset=utf-8");
}
