#ifndef NOTIFY_BASE_LIST_H
#define NOTIFY_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A doubly linked list whose links are embedded in its members. A head and an unlinked member both point
 * to themselves, so list_remove on something that is in no list does nothing. No function allocates.
 */
struct list {
    struct list *next;
    struct list *prev;
};

#define LIST_HEAD_INIT(name)                                                                                 \
    {                                                                                                        \
        &(name), &(name)                                                                                     \
    }

/* The struct of TYPE whose MEMBER is the link POINTER. */
#define list_entry(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define list_for_each(at, head)           for ((at) = (head)->next; (at) != (head); (at) = (at)->next)
/* As list_for_each, but AT may be removed in the body; NEXT is a second cursor. */
#define list_for_each_safe(at, next_at, head)                                                                \
    for ((at) = (head)->next, (next_at) = (at)->next; (at) != (head);                                        \
         (at) = (next_at), (next_at) = (at)->next)

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_append(struct list *head, struct list *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}

static inline void list_prepend(struct list *head, struct list *item)
{
    list_append(head->next, item);
}

static inline void list_remove(struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}

/* Take the first member off the list; NULL when empty. */
static inline struct list *list_shift(struct list *head)
{
    if (list_is_empty(head))
        return NULL;
    struct list *first = head->next;
    /* The analyzer forgets that what was removed is out of the list. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    list_remove(first);
    return first;
}

/* Move all members of FROM to the end of TO; FROM is empty afterwards. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif
