/* What both parts of ctr-files share: how it tells of an error, and what it may do. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stddef.h>
#include <stdint.h>

/* Tells of errno, then ends the process. The reader takes what is in the pipe once it has seen the end. */
_Noreturn void fail(const char *call, const char *path);
_Noreturn void malformed(const char *what);
void reply(const void *data, size_t length);

/* The directory at ROOT_FD becomes the root; of the capabilities only those of the mask `keep` are left. */
void enter_root(uint32_t keep);

/* ctr-files.c: makes files. pack.c: archives them. */
_Noreturn void make_files(void);
_Noreturn void pack_files(int argc, char **argv);

#endif
