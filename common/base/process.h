#ifndef NOTIFY_BASE_PROCESS_H
#define NOTIFY_BASE_PROCESS_H

/* No core dump of this process, and no other process of its user may attach to it: keys are in its memory from here on. */
void process_hide_memory(void);

#endif
