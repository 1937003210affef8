/*
 * The client of all that is measured by the API: HTTP/1.1 over a Unix socket with next to no work of its own, since it runs on the
 * processors of the engine that it measures. The same for every engine.
 *
 *   client SOCKET CLIENTS TIMES USAGE REQUEST...
 *
 * CLIENTS of one connection each send all REQUESTs in turn, TIMES over, side by side. A request is "METHOD PATH [BODY]"; {Id} in it
 * stands for the last Id that an answer to this client had, {n} for the number of its turn among those of all clients, from 0.
 *
 * Prints the milliseconds of all together and the engine's CPU milliseconds (of USAGE, its cpuacct.usage; nan if there is none), then
 * for each request its median, least and most milliseconds. The connections are open, and each has had an answer, before the clock
 * starts; the CPU's clock stops SETTLE_US later, so that what an engine leaves for later counts. Any status from 400 on ends it with 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_CLIENTS = 64,
    REQUEST_BYTES = 8192,
    LINE_BYTES = 4096,
    KEPT_BYTES = 512, /* of a body: its Id, or what went wrong */
    READ_BYTES = 64 * 1024,
    ANSWER_MS = 120 * 1000,
    SETTLE_US = 50 * 1000,
};

/* What the next bytes of an answer are: a part that ends with its line, or the body. RFC 9112 §2.1, §7.1 */
enum part { STATUS, HEADER, BODY, CHUNK_SIZE, CHUNK_END, TRAILER };

struct client {
    int fd; /* -1: opened for the next request */
    int turns_left, turn, request;
    double sent_ms;
    char id[65];
    enum part part;
    int status;
    bool is_chunked, ends_connection;
    long long left; /* of the body or the chunk; -1: up to the connection's end, RFC 9112 §6.3 */
    size_t line_length, kept_length;
    char line[LINE_BYTES], kept[KEPT_BYTES + 1];
};

static struct {
    const char *socket;
    char *const *requests;
    int request_count, turn_count;
    double *samples; /* of request r: turn_count of them from r * turn_count */
} run;

static _Noreturn void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* cpuacct.usage has nanoseconds. cgroup-v1/cpuacct.rst */
static double used_ms(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NAN;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    return length > 0 ? strtod(text, NULL) / 1e6 : NAN;
}

static void open_connection(struct client *c)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(run.socket) >= sizeof address.sun_path)
        die("%s: too long for a socket's path", run.socket);
    strcpy(address.sun_path, run.socket);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("connect to %s: %s", run.socket, strerror(errno));
}

/* The request with what its placeholders stand for. */
static void expand(const struct client *c, const char *text, char *result)
{
    size_t used = 0;
    while (*text && used + sizeof c->id < REQUEST_BYTES) {
        if (strncmp(text, "{Id}", 4) == 0) {
            used += (size_t)sprintf(result + used, "%s", c->id);
            text += 4;
        } else if (strncmp(text, "{n}", 3) == 0) {
            used += (size_t)sprintf(result + used, "%d", c->turn);
            text += 3;
        } else {
            result[used++] = *text++;
        }
    }
    if (*text)
        die("%.80s…: too long", result);
    result[used] = 0;
}

static void send_request(struct client *c, const char *request)
{
    char text[REQUEST_BYTES], message[2 * REQUEST_BYTES];
    expand(c, request, text);
    char *path = strchr(text, ' ');
    if (!path)
        die("%s: no path", text);
    *path++ = 0;
    char *body = strchr(path, ' ');
    if (body)
        *body++ = 0;
    int length = sprintf(message, "%s /v1.41%s HTTP/1.1\r\nHost: bench\r\n", text, path);
    if (body)
        length += sprintf(message + length, "Content-Type: application/json\r\n");
    if (body || strcmp(text, "POST") == 0)
        length += sprintf(message + length, "Content-Length: %zu\r\n", body ? strlen(body) : 0);
    length += sprintf(message + length, "\r\n%s", body ? body : "");
    c->part = STATUS;
    c->is_chunked = c->ends_connection = false;
    c->left = -1;
    c->line_length = c->kept_length = 0;
    if (c->fd < 0)
        open_connection(c);
    if (send(c->fd, message, (size_t)length, MSG_NOSIGNAL) != length)
        die("%s %s: %s", text, path, strerror(errno));
}

static void take_header(struct client *c)
{
    const char *value = strchr(c->line, ':');
    if (!value)
        die("no header: %s", c->line);
    size_t length = (size_t)(value++ - c->line);
    value += strspn(value, " ");
    if (length == 14 && strncasecmp(c->line, "Content-Length", length) == 0)
        c->left = strtoll(value, NULL, 10);
    else if (length == 17 && strncasecmp(c->line, "Transfer-Encoding", length) == 0)
        c->is_chunked = strcasecmp(value, "chunked") == 0;
    else if (length == 10 && strncasecmp(c->line, "Connection", length) == 0)
        c->ends_connection = strcasecmp(value, "close") == 0;
}

/* One whole line, without its end. Tells whether the answer ends with it. */
static bool take_line(struct client *c)
{
    switch (c->part) {
    case STATUS:
        if (sscanf(c->line, "HTTP/1.%*d %d", &c->status) != 1)
            die("no status: %s", c->line);
        c->part = HEADER;
        return false;
    case HEADER:
        if (c->line[0]) {
            take_header(c);
            return false;
        }
        if (c->status == 204 || c->status == 304)
            c->left = 0;
        c->part = c->is_chunked ? CHUNK_SIZE : BODY;
        return c->part == BODY && c->left == 0;
    case CHUNK_SIZE:
        c->left = strtoll(c->line, NULL, 16);
        c->part = c->left > 0 ? BODY : TRAILER;
        return false;
    case CHUNK_END:
        c->part = CHUNK_SIZE;
        return false;
    case TRAILER:
        return c->line[0] == 0;
    case BODY:
        break;
    }
    abort();
}

/* Takes the part of the body that is in `data`, gives its length. */
static size_t take_body(struct client *c, const char *data, size_t length)
{
    size_t taken = c->left >= 0 && (size_t)c->left < length ? (size_t)c->left : length;
    size_t room = KEPT_BYTES - c->kept_length;
    size_t kept = taken < room ? taken : room;
    memcpy(c->kept + c->kept_length, data, kept);
    c->kept_length += kept;
    if (c->left >= 0)
        c->left -= (long long)taken;
    if (c->left == 0 && c->is_chunked)
        c->part = CHUNK_END;
    return taken;
}

/* Tells whether the answer is complete. */
static bool take(struct client *c, const char *data, size_t length)
{
    while (length > 0) {
        if (c->part == BODY) {
            size_t taken = take_body(c, data, length);
            data += taken, length -= taken;
            if (c->left == 0 && !c->is_chunked)
                return true;
            continue;
        }
        char byte = *data++;
        length--;
        if (byte != '\n') {
            if (c->line_length == LINE_BYTES)
                die("a line of more than %d bytes", LINE_BYTES);
            c->line[c->line_length++] = byte;
            continue;
        }
        if (c->line_length == 0 || c->line[c->line_length - 1] != '\r')
            die("a line without a carriage return");
        c->line[c->line_length - 1] = 0;
        c->line_length = 0;
        if (take_line(c))
            return true;
    }
    return false;
}

/* What there is to read; tells whether the answer is complete. */
static bool receive(struct client *c, const char *request)
{
    static char data[READ_BYTES];
    ssize_t length = read(c->fd, data, sizeof data);
    if (length < 0)
        die("%s: %s", request, strerror(errno));
    bool ends_here = length == 0;
    if (ends_here && (c->part != BODY || c->left >= 0))
        die("%s: the connection ends before the answer", request);
    if (!ends_here && !take(c, data, (size_t)length))
        return false;
    c->kept[c->kept_length] = 0;
    if (c->status >= 400)
        die("%s: %d %s", request, c->status, c->kept);
    if (ends_here || c->ends_connection) {
        close(c->fd);
        c->fd = -1;
    }
    const char *id = strstr(c->kept, "\"Id\":\"");
    if (id)
        sscanf(id + 6, "%64[^\"]", c->id);
    return true;
}

static void begin(struct client *c)
{
    c->sent_ms = now_ms();
    send_request(c, run.requests[c->request]);
}

/* After an answer: the next request, if there is one. */
static void go_on(struct client *c, int *next_turn)
{
    run.samples[c->request * run.turn_count + c->turn] = now_ms() - c->sent_ms;
    if (++c->request == run.request_count) {
        c->request = 0;
        if (--c->turns_left == 0)
            return;
        c->turn = (*next_turn)++;
    }
    begin(c);
}

static void run_clients(struct client *clients, int count)
{
    struct pollfd polled[MAX_CLIENTS];
    int next_turn = 0, busy = count;
    for (int i = 0; i < count; i++)
        clients[i].turn = next_turn++;
    for (int i = 0; i < count; i++)
        begin(&clients[i]);
    while (busy > 0) {
        for (int i = 0; i < count; i++)
            polled[i] = (struct pollfd){ .fd = clients[i].turns_left > 0 ? clients[i].fd : -1, .events = POLLIN };
        int ready = poll(polled, (nfds_t)count, ANSWER_MS);
        if (ready <= 0)
            die("poll: %s", ready == 0 ? "no answer" : strerror(errno));
        for (int i = 0; i < count; i++) {
            struct client *c = &clients[i];
            if (polled[i].revents == 0 || !receive(c, run.requests[c->request]))
                continue;
            go_on(c, &next_turn);
            busy -= c->turns_left == 0;
        }
    }
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
    static struct client clients[MAX_CLIENTS];
    if (argc < 6) {
        fprintf(stderr, "usage: client SOCKET CLIENTS TIMES USAGE REQUEST...\n");
        return 2;
    }
    const char *usage = argv[4];
    int count = atoi(argv[2]), times = atoi(argv[3]);
    if (count < 1 || count > MAX_CLIENTS || times < 1)
        die("%s clients, %s times: no such number", argv[2], argv[3]);
    run.socket = argv[1];
    run.requests = argv + 5;
    run.request_count = argc - 5;
    run.turn_count = count * times;
    run.samples = calloc((size_t)(run.request_count * run.turn_count), sizeof *run.samples);
    if (!run.samples)
        die("no memory");
    for (int i = 0; i < count; i++) {
        clients[i].fd = -1;
        clients[i].turns_left = times;
        send_request(&clients[i], "GET /_ping");
        while (!receive(&clients[i], "GET /_ping"))
            ;
    }
    double used = used_ms(usage), start = now_ms();
    run_clients(clients, count);
    double ms = now_ms() - start;
    usleep(SETTLE_US);
    printf("%.3f %.3f\n", ms, used_ms(usage) - used);
    for (int r = 0; r < run.request_count; r++) {
        double *samples = run.samples + r * run.turn_count;
        qsort(samples, (size_t)run.turn_count, sizeof *samples, by_size);
        printf("%.3f %.3f %.3f\n", samples[run.turn_count / 2], samples[0], samples[run.turn_count - 1]);
    }
    return 0;
}
