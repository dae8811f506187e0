#ifndef NOTIFY_API_MCP_TOOLS_H
#define NOTIFY_API_MCP_TOOLS_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/json.h"

struct call;

/* What the person who started the program has opened. */
enum tool_needs { TOOL_ALLOW_WRITE = 1, TOOL_ALLOW_ADHOC = 2 };

/* What a client may tell a person of a tool (specification, ToolAnnotations). */
enum tool_hints {
    TOOL_READS = 1,      /* changes nothing */
    TOOL_DESTROYS = 2,   /* takes away or overwrites something */
    TOOL_REPEATS = 4,    /* done twice it is as if done once */
    TOOL_REACHES_OUT = 8 /* leads to somebody else's system */
};

/* An argument. Prints the schema, and checks what comes. */
struct tool_arg {
    const char *name;  /* NULL: behind the last */
    const char *form;  /* api/rest/rest_form.h */
    const char *value; /* its default, as JSON; NULL: none */
    const char *help;
    unsigned needs; /* tool_needs: not there otherwise */
    bool required;
};

/* A member of a result: rows of one schema stand together. A form may be the name of a schema here, Name or Name[]. */
struct tool_member {
    const char *schema; /* NULL: behind the last */
    const char *name, *form, *help;
    bool optional;
};

struct tool {
    const char *name; /* NULL: behind the last */
    const char *title;
    const char *help;
    const char *kind; /* of exports: where they lead; else NULL */
    unsigned hints, needs;
    const struct tool_arg *args;
    const char *result; /* a schema of tool_members */
    void (*begin)(struct call *call);
};

extern const struct tool tool_table[];
extern const struct tool_member tool_members[];

/* The tool of this name, opened or not; NULL when there is none. */
const struct tool *tool_find(const char *name);
/* How whoever starts the program opens what NEEDS one of these. Static. */
const char *tool_flag(unsigned needs);
/* The name that is nearest to NAME and that OPEN (tool_needs) lets be called; NULL when none is near. */
const char *tool_nearest(const char *name, unsigned open);

/* What the protocol's version knows of tools. */
struct tool_features {
    bool hints;      /* annotations, since 2025-03-26 */
    bool structured; /* title, outputSchema, structuredContent, since 2025-06-18 */
};

/* The list of those that are open, as the result of tools/list. */
void tool_write_list(struct buf *out, unsigned open, struct tool_features features);

/*
 * What is wrong with ARGUMENTS (an object, or NULL: none) for TOOL, in sentences for whoever called it; NULL: nothing. In the arena.
 */
const char *tool_args_fault(struct arena *arena, const struct tool *tool, unsigned open,
                            struct json_object *arguments);

/* They begin; each is answered by its call (call.h). */
void tool_export(struct call *call);
void tool_list_integrations(struct call *call);
void tool_test_integration(struct call *call);
void tool_explain_delivery(struct call *call);
void tool_list_deliveries(struct call *call);
void tool_create_integration(struct call *call);
void tool_update_integration(struct call *call);
void tool_delete_integration(struct call *call);

#endif
