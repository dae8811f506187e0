/*
 * replay - runs a fuzz target without a fuzzer
 *
 * For builds with any compiler: every file of the folders named on the command line, and then ROUNDS inputs
 * made from them by simple changes (a byte, a cut, a doubled or moved piece), from a seed that is printed.
 * What the fuzzer found once stays in the corpus and is tried here on every run.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { INPUT_MAX = 1 << 20, INPUTS_MAX = 4096, ROUNDS = 3000 };

static struct input {
    uint8_t *bytes;
    size_t size;
} inputs[INPUTS_MAX];
static size_t input_count;
static uint64_t state;

static uint64_t next_random(void)
{
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return state >> 33;
}

static size_t below(size_t n)
{
    return n ? (size_t)next_random() % n : 0;
}

static void read_file(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f || input_count == INPUTS_MAX)
        return;
    uint8_t *bytes = malloc(INPUT_MAX);
    size_t size = bytes ? fread(bytes, 1, INPUT_MAX, f) : 0;
    fclose(f);
    inputs[input_count++] = (struct input){bytes, size};
}

static void read_folder(const char *folder)
{
    DIR *d = opendir(folder);
    if (!d)
        return;
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        if (e->d_name[0] != '.')
            read_file(folder, e->d_name);
    closedir(d);
}

/* Exactly as many bytes as the input has, so that a read behind its end is seen. */
static void run(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_changed(const struct input *in)
{
    uint8_t *b = malloc(2 * in->size + 16);
    size_t n = in->size;
    if (!b)
        abort();
    memcpy(b, in->bytes, n);
    for (size_t changes = 1 + below(4); changes > 0; changes--) {
        size_t at = below(n);
        switch (below(5)) {
        case 0:
            if (n)
                b[at] ^= (uint8_t)(1u << below(8));
            break;
        case 1:
            if (n)
                b[at] = (uint8_t)next_random();
            break;
        case 2:
            n = at;
            break;
        case 3: {
            size_t length = below(n - at + 1), room = 2 * in->size + 16 - n;
            length = length < room ? length : room;
            memmove(b + at + length, b + at, n - at);
            n += length;
            break;
        }
        default:
            b[n < 2 * in->size + 16 ? n++ : 0] = "\"'{}[]\\,:0-%\0\xff\x80"[below(15)];
        }
    }
    run(b, n);
    free(b);
}

int main(int argc, char **argv)
{
    const char *seed = getenv("FUZZ_SEED");
    state = seed ? strtoull(seed, NULL, 10) : 1;
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++)
        read_folder(argv[i]);
    if (input_count == 0) {
        fprintf(stderr, "usage: %s FOLDER...\n", argv[0]);
        return 2;
    }
    for (size_t i = 0; i < input_count; i++)
        run(inputs[i].bytes, inputs[i].size);
    for (int i = 0; i < ROUNDS; i++)
        run_changed(&inputs[below(input_count)]);
    printf("%zu inputs, %d changed ones, seed %llu\n", input_count, ROUNDS,
           (unsigned long long)(seed ? strtoull(seed, NULL, 10) : 1));
    for (size_t i = 0; i < input_count; i++)
        free(inputs[i].bytes);
    return 0;
}
