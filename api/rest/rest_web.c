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

#include "api/embedded.h"
#include "api/http/http_pack.h"
#include "common/base/check.h"
#include "common/destinations/dest.h"
#include "common/model/words.h"

enum { FILES_BLOCK = 65536, LISTS_MAX = 65536, PACK_LEVEL = 9 /* once, at the start */ };

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

static void add(struct rest_web *w, const char *name, const char *bytes, size_t size)
{
    size_t size_packed;
    const char *packed = http_pack(&w->arena, bytes, size, PACK_LEVEL, &size_packed);
    struct file *file = &w->files[w->count++];
    *file = (struct file){name, rest_text_of(bytes, size), rest_text_of(packed, size_packed)};
    file->packed.encoding = "gzip";
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
    rest_answer_text(a, type, http_takes_gzip(a->x) ? &found->packed : &found->plain);
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
