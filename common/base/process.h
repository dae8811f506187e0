#ifndef NOTIFY_BASE_PROCESS_H
#define NOTIFY_BASE_PROCESS_H

#include <stdint.h>

/* No core dump of this process, and no other process of its user may attach to it: keys are in its memory from here on. */
void process_hide_memory(void);

/* Bytes of its memory that are resident; 0: the kernel does not say. */
uint64_t process_resident(void);

#endif
