/*
 * bin/ctr. `run` and `exec` are sent to the daemon as typed (POST /commands, apps/daemon/src/routes/command/run.ts): it reads
 * their options with the same tables as the client, and runs warm. Everything that it does not want to do, and every other
 * command, is done by the client proper, apps/cli/dist/ctr, in whose place this program then is as if it had never been: until
 * the daemon has answered 101 nothing is printed, and no signal, descriptor or mask is changed.
 */
#ifndef FRONT_H
#define FRONT_H

#include <stdbool.h>
#include <stddef.h>

/* A command for the daemon. */
struct command {
    const char *socket; /* path of a Unix socket */
    char **words;       /* from the command's name on, NULL at the end */
    bool is_exec;
    bool is_timed; /* maybe: one of the words is --timing */
    const char *path; /* as in texts: `ctr run` */
};

/* An answer: frames follow. */
struct answer {
    int fd;
    char container[65]; /* that gets our signals, or empty */
    size_t rest;        /* bytes of frames in `buffer` that came with the head */
};

enum { BUFFER_BYTES = 64 * 1024 };
/* One buffer is enough: a request has been sent before its answer comes. */
extern unsigned char buffer[BUFFER_BYTES];

/* Whether this command line is for the daemon. */
bool read_command(char **argv, struct command *command);

/* Sends it. False: nothing was done, the client is to do it. Ends the program if nobody knows whether something was. */
bool ask(const struct command *command, struct answer *answer);
int connect_to(const char *path);
bool send_all(int socket, const void *data, size_t length);

/* Copies output to ours, and ends the program as the command has ended. */
_Noreturn void follow(const struct command *command, const struct answer *answer);

/* A line on standard error, and the end: 125 for `run`, else 1, as the client proper. */
_Noreturn void fail(const struct command *command, const char *text);

#endif
