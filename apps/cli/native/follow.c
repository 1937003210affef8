/* The command runs in the daemon: its output is ours, our signals are its. */
#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Frames: packages/api/src/stdcopy.ts. */
enum { STDOUT = 1, STDERR = 2, EXIT = 5, HEADER_BYTES = 8 };

/* 128 + SIGPIPE, what a shell shows for `ctr … | head -1`. */
enum { EXIT_SIGPIPE = 141, EXIT_USAGE = 125 };

/* As docker: all but SIGCHLD, SIGPIPE and SIGURG (docker/cli container/signals.go); apps/cli/src/terminal/signals.ts. */
static const struct {
    int number;
    const char *name;
} FORWARDED[] = {
    {SIGHUP, "HUP"},   {SIGINT, "INT"},   {SIGQUIT, "QUIT"}, {SIGUSR1, "USR1"}, {SIGUSR2, "USR2"}, {SIGALRM, "ALRM"}, {SIGTERM, "TERM"},
    {SIGCONT, "CONT"}, {SIGTSTP, "TSTP"}, {SIGTTIN, "TTIN"}, {SIGTTOU, "TTOU"}, {SIGIO, "IO"},     {SIGPWR, "PWR"},
};
enum { FORWARDED_COUNT = sizeof FORWARDED / sizeof *FORWARDED };

/* Where we are in the stream of frames. */
struct frames {
    unsigned char header[HEADER_BYTES];
    size_t header_bytes;
    size_t left; /* of the payload of the frame that `header` begins */
};

_Noreturn void fail(const struct command *command, const char *text)
{
    if (command->is_exec)
        fprintf(stderr, "%s\n", text);
    else
        fprintf(stderr, "ctr: %s\n\nRun '%s --help' for more information\n", text, command->path);
    exit(command->is_exec ? 1 : EXIT_USAGE);
}

static _Noreturn void lost(const struct command *command)
{
    const char *what = command->is_exec ? "the command" : "container";
    fprintf(stderr, "error waiting for %s: connection to the daemon lost\n", what);
    exit(command->is_exec ? 1 : EXIT_USAGE);
}

/* Waits for a slow reader. */
static bool write_all(int fd, const unsigned char *at, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, at, length);
        if (written >= 0) {
            at += written;
            length -= (size_t)written;
        } else if (errno == EAGAIN) {
            /* Somebody else made it non-blocking. */
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        } else if (errno != EINTR)
            return false;
    }
    return true;
}

static void print(const struct command *command, int fd, const unsigned char *data, size_t length)
{
    if (write_all(fd, data, length))
        return;
    if (errno == EPIPE)
        exit(EXIT_SIGPIPE);
    /* A terminal that hung up; the signal decides what becomes of us. */
    if (errno == EIO)
        return;
    if (fd == STDERR_FILENO)
        exit(1);
    char text[256], *reason = strerror(errno);
    /* In the words of libuv: `ENOSPC: no space left on device, write`. */
    snprintf(text, sizeof text, "%s: %c%s, write", strerrorname_np(errno), reason[0] | 0x20, reason + 1);
    fail(command, text);
}

/*
 * What has arrived. Output of neighbouring frames is moved together and written at once: a million lines are not a million
 * writes. It only moves to lower addresses, over headers and what was written.
 */
static void take(const struct command *command, struct frames *frames, unsigned char *data, size_t length)
{
    size_t gathered = 0;
    int fd = STDOUT_FILENO;
    for (size_t at = 0; at < length;) {
        if (frames->left == 0) {
            frames->header[frames->header_bytes++] = data[at++];
            if (frames->header_bytes < HEADER_BYTES)
                continue;
            const unsigned char *h = frames->header;
            frames->header_bytes = 0;
            if (h[1] != 0 || h[2] != 0 || h[3] != 0)
                lost(command);
            frames->left = (size_t)h[4] << 24 | (size_t)h[5] << 16 | (size_t)h[6] << 8 | h[7];
            continue;
        }
        size_t part = frames->left < length - at ? frames->left : length - at;
        int kind = frames->header[0];
        int to = kind == STDERR ? STDERR_FILENO : STDOUT_FILENO;
        if (kind == EXIT || to != fd) {
            print(command, fd, data, gathered);
            gathered = 0;
            fd = to;
        }
        if (kind == EXIT)
            exit(data[at]);
        if (kind != STDOUT && kind != STDERR)
            lost(command);
        memmove(data + gathered, data + at, part);
        gathered += part;
        at += part;
        frames->left -= part;
    }
    print(command, fd, data, gathered);
}

/* From here on these signals wait to be read from the descriptor; without one (-1, RLIMIT_NOFILE) they do what they always do. */
static int catch_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < FORWARDED_COUNT; i++)
        sigaddset(&set, FORWARDED[i].number);
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd >= 0)
        sigprocmask(SIG_BLOCK, &set, NULL);
    return fd;
}

/* As docker: PID 1 of a container need not heed these, but who asks for the end three times gets that of the client. */
static void count_request(uint32_t number)
{
    static int requests;
    if ((number != SIGINT && number != SIGTERM) || ++requests < 3)
        return;
    fprintf(stderr, "\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n");
    exit(1);
}

/* Sends a signal that has come, and gives the connection on which the answer will be. -1: nobody is there any more. */
static int forward(const struct command *command, const char *container, int signals)
{
    struct signalfd_siginfo info;
    const char *name = "";
    char request[256];
    if (read(signals, &info, sizeof info) != sizeof info)
        return -1;
    count_request(info.ssi_signo);
    for (int i = 0; i < FORWARDED_COUNT; i++)
        if (FORWARDED[i].number == (int)info.ssi_signo)
            name = FORWARDED[i].name;
    int fd = connect_to(command->socket);
    int length = snprintf(request, sizeof request,
                          "POST /containers/%s/kill?signal=SIG%s HTTP/1.1\r\nHost: ctr\r\nUser-Agent: ctr\r\nConnection: close\r\n"
                          "Content-Length: 0\r\n\r\n",
                          container, name);
    if (fd >= 0)
        send_all(fd, request, (size_t)length);
    return fd;
}

_Noreturn void follow(const struct command *command, const struct answer *answer)
{
    struct frames frames = {.header_bytes = 0};
    enum { OUTPUT, SIGNALS, KILL };
    struct pollfd fds[] = {{.fd = answer->fd, .events = POLLIN}, {.fd = -1, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    signal(SIGPIPE, SIG_IGN);
    if (answer->container[0] != '\0')
        fds[SIGNALS].fd = catch_signals();
    int signals = fds[SIGNALS].fd;
    take(command, &frames, buffer, answer->rest);
    for (;;) {
        /* One signal at a time: they arrive in the order in which they came. */
        fds[SIGNALS].fd = fds[KILL].fd < 0 ? signals : -1;
        if (poll(fds, 3, -1) < 0)
            continue;
        if (fds[KILL].fd >= 0 && fds[KILL].revents != 0) {
            if (read(fds[KILL].fd, (char[1024]){0}, 1024) <= 0) {
                close(fds[KILL].fd);
                fds[KILL].fd = -1;
            }
        }
        if (fds[SIGNALS].fd >= 0 && fds[SIGNALS].revents != 0)
            fds[KILL].fd = forward(command, answer->container, signals);
        if (fds[OUTPUT].revents == 0)
            continue;
        ssize_t length = read(answer->fd, buffer, BUFFER_BYTES);
        if (length == 0 || (length < 0 && errno != EINTR))
            lost(command);
        if (length > 0)
            take(command, &frames, buffer, (size_t)length);
    }
}
