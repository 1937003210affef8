/* Which command lines are for the daemon; the client proper for the others. */
#include "front.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

extern char **environ;

/* Beside the repository's bin/. */
#define CLIENT "apps/cli/dist/ctr"
#define DEFAULT_SOCKET "/var/run/ctr.sock"

/* Variables that say more than an address: apps/cli/src/context/current.ts, config/daemon-host.ts, main.ts. */
static const char *const VARIABLES[] = {"CTR_CONTEXT", "DOCKER_CONTEXT",    "DOCKER_API_VERSION", "DOCKER_DEFAULT_PLATFORM",
                                        "DOCKER_TLS",  "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"};

/* NULL when it is empty, which is the same as absent. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

/*
 * Whether config.json may matter here: for the proxies of containers, or for the address of the daemon. Its words are looked for,
 * as the client does. A file that cannot be read in one piece is the client's.
 */
static bool config_matters(bool names_daemon)
{
    char path[PATH_MAX];
    const char *directory = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
    int length = directory != NULL ? snprintf(path, sizeof path, "%s/config.json", directory)
                                   : snprintf(path, sizeof path, "%s/.docker/config.json", home != NULL ? home : "");
    if (length >= (int)sizeof path)
        return true;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, buffer, BUFFER_BYTES);
    close(fd);
    if (size < 0)
        return false;
    if (size == BUFFER_BYTES)
        return true;
    return memmem(buffer, (size_t)size, "\"proxies\"", 9) != NULL ||
           (!names_daemon && memmem(buffer, (size_t)size, "\"ctr\"", 5) != NULL);
}

/* The path of the socket that an address names; NULL for any other. */
static const char *socket_of(const char *address)
{
    const char *path = strncmp(address, "unix://", 7) == 0 ? address + 7 : address;
    return *path == '/' && strlen(path) < sizeof((struct sockaddr_un *)0)->sun_path ? path : NULL;
}

/*
 * Whether a terminal or input is asked for: `run -it …`. The daemon would say that this is the client's; a hint saves the question.
 * No more than that: behind the first option with a value nothing is looked at.
 */
static bool is_interactive(char *const *options)
{
    for (; *options != NULL && **options == '-'; options++) {
        const char *letters = *options + 1;
        if (strcmp(letters, "-interactive") == 0 || strcmp(letters, "-tty") == 0)
            return true;
        if (strspn(letters, "itd") == strlen(letters) && strpbrk(letters, "it") != NULL)
            return true;
    }
    return false;
}

/* Whether the daemon may need to know when we began. */
static bool has_timing(char *const *words)
{
    while (*words != NULL && strcmp(*words, "--timing") != 0)
        words++;
    return *words != NULL;
}

bool read_command(char **argv, struct command *command)
{
    const char *address = NULL;
    char **word = argv + 1;
    if (*word != NULL && (strcmp(*word, "-H") == 0 || strcmp(*word, "--host") == 0)) {
        if (word[1] == NULL)
            return false;
        address = word[1];
        word += 2;
    } else if (*word != NULL && strncmp(*word, "--host=", 7) == 0) {
        address = *word + 7;
        word += 1;
    }
    if (*word == NULL)
        return false;
    bool is_long = strcmp(*word, "container") == 0;
    const char *name = is_long ? word[1] : *word;
    if (name == NULL || (strcmp(name, "run") != 0 && strcmp(name, "exec") != 0))
        return false;
    if (is_interactive(word + (is_long ? 2 : 1)))
        return false;
    for (size_t i = 0; i < sizeof VARIABLES / sizeof *VARIABLES; i++)
        if (variable(VARIABLES[i]) != NULL)
            return false;
    if (address == NULL && (address = variable("CTR_HOST")) == NULL)
        address = variable("DOCKER_HOST");
    if (config_matters(address != NULL))
        return false;
    command->socket = socket_of(address != NULL ? address : DEFAULT_SOCKET);
    command->words = word;
    command->is_exec = *name == 'e';
    command->is_timed = !command->is_exec && has_timing(word);
    command->path = is_long ? "ctr container run" : "ctr run";
    return command->socket != NULL;
}

/* `bin/ctr` of a repository may be reached by any number of links; its client is in the same repository. */
static _Noreturn void become_client(char **argv)
{
    char path[PATH_MAX + sizeof CLIENT];
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
    if (length < 0) {
        perror("ctr: /proc/self/exe");
        exit(1);
    }
    path[length] = '\0';
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(path, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    strcat(path, "/" CLIENT);
    execve(path, argv, environ);
    fprintf(stderr,
            "ctr: cannot run %s: %s\n"
            "ctr is two programs: link to bin/ctr, do not copy it. `npm run setup` builds both.\n",
            path, strerror(errno));
    exit(1);
}

int main(int argc, char **argv)
{
    struct command command;
    struct answer answer;
    int fd;
    /* Without one of the three, our socket would be in its place. */
    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO) {
    }
    close(fd);
    if (argc > 1 && read_command(argv, &command) && ask(&command, &answer))
        follow(&command, &answer);
    become_client(argv);
}
