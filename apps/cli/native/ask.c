/* One request, and the head of its answer. */
#include "front.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* What the daemon takes in one piece is 1 MiB (apps/daemon/src/http/upgrade.ts). */
enum { MAX_WORDS_BYTES = 512 * 1024 };
#define CONTAINER_HEADER "\r\nCtr-Signals-To: "

unsigned char buffer[BUFFER_BYTES];

int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool send_all(int fd, const void *data, size_t length)
{
    for (const char *at = data; length > 0;) {
        /* Until there is an answer, a broken connection must not end us, and no signal may be ignored for that. */
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return false;
        if (sent < 0)
            continue;
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* When this process was made, by the processor time that it has had since, and now: Unix times, which the daemon compares with its own. */
static void write_start(char *line, size_t size)
{
    struct timespec now, used;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    long long now_us = now.tv_sec * 1000000LL + now.tv_nsec / 1000;
    long long used_us = used.tv_sec * 1000000LL + used.tv_nsec / 1000;
    snprintf(line, size, "Ctr-Started: %lld %lld\r\n", now_us - used_us, now_us);
}

/* Head and words in one piece; NULL if they are too long. */
static char *encode(const struct command *command, size_t *length)
{
    size_t bytes = 0;
    char *const *words = command->words;
    char started[64] = "";
    if (command->is_timed)
        write_start(started, sizeof started);
    for (char *const *word = words; *word != NULL; word++)
        bytes += strlen(*word) + 1;
    char *request = bytes > MAX_WORDS_BYTES ? NULL : malloc(bytes + 512);
    if (request == NULL)
        return NULL;
    int head = snprintf(request, 512,
                        "POST /commands HTTP/1.1\r\nHost: ctr\r\nUser-Agent: ctr\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
                        "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n%s\r\n",
                        bytes, started);
    char *at = request + head;
    for (char *const *word = words; *word != NULL; word++)
        at = stpcpy(at, *word) + 1;
    *length = (size_t)(at - request);
    return request;
}

/* Reads until the head is complete. Returns the bytes read, of which `*head` are the head; 0 if the connection ended before. */
static size_t read_head(int fd, size_t *head)
{
    size_t length = 0;
    for (;;) {
        ssize_t part = read(fd, buffer + length, BUFFER_BYTES - 1 - length);
        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0)
            return 0;
        length += (size_t)part;
        buffer[length] = '\0';
        const unsigned char *end = memmem(buffer, length, "\r\n\r\n", 4);
        if (end != NULL) {
            *head = (size_t)(end - buffer) + 4;
            return length;
        }
    }
}

bool ask(const struct command *command, struct answer *answer)
{
    size_t length, head;
    int fd = connect_to(command->socket);
    char *request = fd < 0 ? NULL : encode(command, &length);
    if (request == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    /* A daemon that does not want to read all of it may have answered already; half a request does nothing. */
    bool is_sent = send_all(fd, request, length);
    free(request);
    length = read_head(fd, &head);
    if (length == 0 && is_sent)
        fail(command, "connection to the daemon lost: it ended before the response was complete");
    if (length == 0 || strncmp((char *)buffer, "HTTP/1.1 101 ", 13) != 0) {
        close(fd);
        return false;
    }
    answer->fd = fd;
    answer->rest = length - head;
    answer->container[0] = '\0';
    const char *header = memmem(buffer, head, CONTAINER_HEADER, strlen(CONTAINER_HEADER));
    if (header != NULL)
        sscanf(header + strlen(CONTAINER_HEADER), "%64[0-9a-f]", answer->container);
    memmove(buffer, buffer + head, answer->rest);
    return true;
}
