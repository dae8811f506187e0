/*
 * decode_body - from the message's bytes to the bytes of its JSON
 *
 * Judges size, content type, encoding and compression, in this order, before anything is parsed. Compressed
 * bodies are zlib streams, whatever the header calls them (kombu's "application/x-gzip" is one); a true gzip
 * member is read too. What comes out is never longer than limits.message_bytes: inflating stops there.
 */
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "common/base/check.h"
#include "worker/decode_parts.h"

/* True when TEXT is WORD in any case, perhaps followed by parameters (RFC 9110 section 8.3.1). */
static bool is_media_type(const char *text, const char *word)
{
    size_t n = strlen(word);
    if (strncasecmp(text, word, n) != 0)
        return false;
    text += n + strspn(text + n, " \t");
    return *text == 0 || *text == ';';
}

static bool is_json_in_utf8(struct decoding *d, bool compressed)
{
    const char *type = d->raw->content_type, *encoding = d->raw->content_encoding;
    if (!type)
        return decode_refuse(d, REASON_BAD_CONTENT_TYPE, "the message has no content_type");
    if (!is_media_type(type, "application/json"))
        return decode_refuse(d, REASON_BAD_CONTENT_TYPE, "content_type is \"%s\"",
                             decode_quote(d, type, strlen(type)));
    if (!encoding || !*encoding || strcasecmp(encoding, "utf-8") == 0 || strcasecmp(encoding, "utf8") == 0 ||
        strcasecmp(encoding, "us-ascii") == 0 || (compressed && strcasecmp(encoding, "binary") == 0))
        return true;
    return decode_refuse(d, REASON_BAD_CONTENT_TYPE, "content_encoding is \"%s\"",
                         decode_quote(d, encoding, strlen(encoding)));
}

static bool read_compression(struct decoding *d, bool *compressed)
{
    static const char *const names[] = {"application/x-gzip", "application/gzip", "application/zlib", "gzip",
                                        "zlib"};
    const struct raw_header *header = raw_message_header(d->raw, "compression");
    *compressed = false;
    if (!header || header->kind == RAW_HEADER_NULL || (header->kind == RAW_HEADER_TEXT && header->size == 0))
        return true;
    if (header->kind != RAW_HEADER_TEXT)
        return decode_refuse(d, REASON_BAD_COMPRESSION, "the compression header is no text");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(header->text, names[i]) == 0)
            *compressed = true;
    return *compressed || decode_refuse(d, REASON_BAD_COMPRESSION, "compression is \"%s\"",
                                        decode_quote(d, header->text, header->size));
}

/* Z_STREAM_END when all of the input was one whole stream and fitted into PLAIN. */
static int inflate_all(z_stream *z, struct buf *plain)
{
    char chunk[16384];
    int result = Z_OK;
    while (result == Z_OK && !plain->overflow) {
        z->next_out = (Bytef *)chunk;
        z->avail_out = sizeof chunk;
        result = inflate(z, Z_NO_FLUSH);
        buf_add(plain, chunk, sizeof chunk - z->avail_out);
    }
    return result;
}

static bool decompress(struct decoding *d, struct buf *plain)
{
    z_stream z = {0};
    mem_check(inflateInit2(&z, 32 + MAX_WBITS) == Z_OK); /* 32: a zlib or a gzip header, whichever it is */
    z.next_in = (Bytef *)d->raw->body;                   /* zlib's input is const in all but its type */
    z.avail_in = (uInt)d->raw->body_size;
    int result = inflate_all(&z, plain);
    bool whole = result == Z_STREAM_END && z.avail_in == 0;
    inflateEnd(&z);
    mem_check(result != Z_MEM_ERROR);
    if (plain->overflow)
        return decode_refuse(d, REASON_TOO_LARGE, "decompressed, the body has more than %ld bytes",
                             d->conf->limits_message_bytes);
    return whole || decode_refuse(d, REASON_BAD_COMPRESSION, "the body is no whole zlib stream");
}

bool decode_body_read(struct decoding *d, struct buf *plain)
{
    const struct raw_message *raw = d->raw;
    size_t max = (size_t)d->conf->limits_message_bytes;
    bool compressed;
    buf_init(plain, max);
    if (raw->body_cut || raw->body_size > max)
        return decode_refuse(d, REASON_TOO_LARGE, "the body has %llu bytes, allowed are %zu",
                             (unsigned long long)(raw->body_cut ? raw->announced_size : raw->body_size), max);
    if (!read_compression(d, &compressed) || !is_json_in_utf8(d, compressed))
        return false;
    if (compressed)
        return decompress(d, plain);
    buf_add(plain, raw->body, raw->body_size);
    return true;
}
