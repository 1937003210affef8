/* echo-server tcp|udp PORT: tells each client its address ("from 10.0.0.2\n"), then sends back what comes. One process per TCP client. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void serve_tcp(int client, const struct sockaddr_in *peer) {
  char buffer[4096];
  int length = snprintf(buffer, sizeof buffer, "from %s\n", inet_ntoa(peer->sin_addr));
  ssize_t count = length;
  while (count > 0 && write(client, buffer, (size_t)count) == count) count = read(client, buffer, sizeof buffer);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int is_udp = strcmp(argv[1], "udp") == 0;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[2]))};
  int server = socket(AF_INET, is_udp ? SOCK_DGRAM : SOCK_STREAM, 0);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  if (server < 0 || bind(server, (struct sockaddr *)&address, sizeof address) < 0) return perror("bind"), 1;
  if (!is_udp && listen(server, 16) < 0) return perror("listen"), 1;
  signal(SIGCHLD, SIG_IGN);
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    if (is_udp) {
      char buffer[4096];
      ssize_t count = recvfrom(server, buffer, sizeof buffer, 0, (struct sockaddr *)&peer, &size);
      if (count >= 0) sendto(server, buffer, (size_t)count, 0, (struct sockaddr *)&peer, size);
      continue;
    }
    int client = accept(server, (struct sockaddr *)&peer, &size);
    if (client >= 0 && fork() == 0) {
      serve_tcp(client, &peer);
      return 0;
    }
    close(client);
  }
}
