#ifndef NOTIFY_LIBRARIES_H
#define NOTIFY_LIBRARIES_H

/* Let the libraries allocate, log and give up as we do. First thing in the program, before they allocate anything. */
void libraries_begin(void);
/* curl_global_init, the same way; once in each process that uses curl. */
void libraries_begin_curl(void);

#endif
