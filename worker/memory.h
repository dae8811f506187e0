#ifndef NOTIFY_WORKER_MEMORY_H
#define NOTIFY_WORKER_MEMORY_H

/* Let the libraries allocate as we do. First thing in the program: nothing may have been allocated by them before. */
void memory_guard(void);
/* curl_global_init, the same way; once in each process that uses curl. */
void memory_guard_curl(void);

#endif
