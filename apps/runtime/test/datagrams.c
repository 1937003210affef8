// Counts: `serve PATH` prints what comes, `send PATH` sends 1, 2, … and prints them.
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, argv[2], sizeof address.sun_path - 1);
  const int end = socket(AF_UNIX, SOCK_DGRAM, 0);
  char text[32];
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (strcmp(argv[1], "serve") == 0) {
    if (bind(end, (struct sockaddr *)&address, sizeof address) < 0) return 1;
    for (;;) {
      const ssize_t length = recv(end, text, sizeof text - 1, 0);
      if (length <= 0) return 1;
      printf("%.*s\n", (int)length, text);
    }
  }
  if (connect(end, (struct sockaddr *)&address, sizeof address) < 0) return 1;
  for (int number = 1;; number++) {
    const int length = snprintf(text, sizeof text, "%d", number);
    if (send(end, text, length, 0) < 0) return 1;
    printf("%s\n", text);
    usleep(20000);
  }
}
