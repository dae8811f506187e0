/*
 * torture - preloaded: makes the Nth fallible call of a process fail
 *
 * Owns the table that the test shares with every process of the program, and the decision whether a call fails. The
 * calls themselves stand in torture_memory.c, torture_system.c and torture_servers.c. The program is the one that is
 * shipped; its libraries' calls fail as its own do.
 *
 * In the unit programs every allocation fails, each in a child of its own (STEP in torture.h).
 *
 * Notes the stack of the first call that failed, and of a crash, for whoever looks for the cause.
 */
#include "torture.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

enum { FRAMES = 40, CHILD_S = 60, EXIT_NO_RESOURCES = 71 };

struct torture_table *torture_table;
static __thread int busy; /* our own calls do not count */
static int step;          /* the table's, in the process that began */
static pid_t owner;

struct stack {
    void *frames[FRAMES];
    int count;
};

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *at, void *arg)
{
    struct stack *stack = arg;
    stack->frames[stack->count++] = (void *)_Unwind_GetIP(at); /* NOLINT(performance-no-int-to-ptr) */
    return stack->count < FRAMES ? _URC_NO_REASON : _URC_END_OF_STACK;
}

/* backtrace(3) does the same, and leaks what it loads libgcc with. */
static void describe_stack(char *out, size_t size)
{
    struct stack stack = {.count = 0};
    size_t used = 0;
    _Unwind_Backtrace(on_frame, &stack);
    for (int i = 1; i < stack.count && used < size - 1; i++) {
        Dl_info info = {0};
        if (!dladdr(stack.frames[i], &info) || !info.dli_fname)
            continue;
        const char *file = strrchr(info.dli_fname, '/');
        int written = snprintf(out + used, size - used, "%s+0x%lx %s\n", file ? file + 1 : info.dli_fname,
                               (unsigned long)((char *)stack.frames[i] - (char *)info.dli_fbase),
                               info.dli_sname ? info.dli_sname : "");
        used += written > 0 ? (size_t)written : 0;
    }
}

static void on_crash(int number)
{
    busy++;
    torture_table->crashed = number;
    describe_stack(torture_table->crash, sizeof torture_table->crash);
    signal(number, SIG_DFL);
    raise(number);
}

static void silence(void)
{
    int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
}

static void note_end(struct torture_table *t, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_RESOURCES)
        t->told++;
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        t->unmoved++;
    else if (t->fired++ == 0)
        memcpy(t->where, t->tried, sizeof t->where);
}

/* At every STEPth allocation: true in a child, of which the parent notes how it ended. */
static bool fails_in_child(struct torture_table *t)
{
    int status = 0, error = errno;
    if (++t->calls[TORTURE_MEMORY] % step != t->countdown % step)
        return false;
    busy++;
    describe_stack(t->tried, sizeof t->tried);
    pid_t child = TORTURE_REAL(fork)();
    if (child == 0) {
        step = 0;
        silence();
        signal(SIGALRM, on_crash); /* a child that hangs */
        alarm(CHILD_S);
        busy--;
        return true;
    }
    waitpid(child, &status, 0);
    note_end(t, status);
    busy--;
    errno = error;
    return false;
}

static bool is_armed(struct torture_table *t, enum torture_class class)
{
    t->calls[class]++;
    if (t->class != (int)class)
        return false;
    int left = --t->countdown;
    return left <= 0 && left > -t->failures;
}

static void note_failure(struct torture_table *t)
{
    busy++;
    if (t->fired++ == 0)
        describe_stack(t->where, sizeof t->where);
    busy--;
}

bool torture_fails(enum torture_class class, int error)
{
    struct torture_table *t = torture_table;
    if (!t || busy)
        return false;
    if (step && class == TORTURE_MEMORY && getpid() == owner) {
        if (!fails_in_child(t))
            return false;
    } else {
        if (t->pid != getpid() || !is_armed(t, class))
            return false;
        note_failure(t);
    }
    errno = error;
    return true;
}

void torture_pause(void)
{
    busy++;
}

void torture_go_on(void)
{
    busy--;
}

void *torture_real(const char *name)
{
    busy++;
    void *found = dlsym(RTLD_NEXT, name);
    busy--;
    if (!found)
        abort();
    return found;
}

__attribute__((constructor)) static void begin(void)
{
    static const int deaths[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    const char *file = getenv("TORTURE");
    int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *page = mmap(NULL, sizeof *torture_table, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED)
        return;
    if (!dlsym(RTLD_DEFAULT, "__asan_init"))
        for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++)
            signal(deaths[i], on_crash);
    torture_table = page;
    step = torture_table->step;
    owner = getpid();
}
