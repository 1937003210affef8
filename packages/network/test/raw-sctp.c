/*
 * The first two packets of an association of SCTP (RFC 9260), by raw sockets: the kernel needs no SCTP of its own for that.
 *   raw-sctp serve PORT           answers each INIT to PORT with an INIT ACK
 *   raw-sctp call ADDRESS PORT    sends INITs until it is answered; prints who has answered
 */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INIT = 1, INIT_ACK = 2, TRIES = 75, WAIT_MS = 200, CALLER_PORT = 5000 };

struct packet {
  uint16_t source, destination;
  uint32_t tag, checksum;
  uint8_t type, flags;
  uint16_t length;
  uint32_t initiate_tag, window;
  uint16_t outbound, inbound;
  uint32_t first;
} __attribute__((packed));

/* RFC 3309 */
static uint32_t crc32c(const uint8_t *bytes, size_t length) {
  uint32_t crc = ~0u;
  for (size_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++)
      crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
  }
  return ~crc;
}

static struct packet make(uint8_t type, uint16_t source, uint16_t destination, uint32_t tag) {
  struct packet p = {.source = source,
                     .destination = destination,
                     .tag = tag,
                     .type = type,
                     .length = htons(20),
                     .initiate_tag = htonl(7),
                     .window = htonl(65536),
                     .outbound = htons(1),
                     .inbound = htons(1),
                     .first = htonl(1)};
  p.checksum = crc32c((const uint8_t *)&p, sizeof p); /* least significant byte first, as it is here */
  return p;
}

static struct packet *parse(uint8_t *bytes, ssize_t n) {
  size_t head = n < 20 ? 20 : (size_t)(bytes[0] & 15) * 4;
  return n < (ssize_t)(head + sizeof(struct packet)) ? NULL : (struct packet *)(bytes + head);
}

int main(int argc, char **argv) {
  uint8_t bytes[2048];
  int fd = socket(AF_INET, SOCK_RAW, IPPROTO_SCTP);
  if (fd < 0 || argc < 3)
    return 2;
  struct sockaddr_in to = {.sin_family = AF_INET};
  socklen_t size = sizeof to;
  if (strcmp(argv[1], "serve") == 0)
    for (;;) {
      struct packet *p = parse(bytes, recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&to, &size));
      if (!p || p->type != INIT || p->destination != htons((uint16_t)atoi(argv[2])))
        continue;
      struct packet answer = make(INIT_ACK, p->destination, p->source, p->initiate_tag);
      sendto(fd, &answer, sizeof answer, 0, (struct sockaddr *)&to, size);
    }
  inet_pton(AF_INET, argv[2], &to.sin_addr);
  struct packet call = make(INIT, htons(CALLER_PORT), htons((uint16_t)atoi(argv[3])), 0);
  for (int i = 0; i < TRIES; i++) {
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    sendto(fd, &call, sizeof call, 0, (struct sockaddr *)&to, size);
    if (poll(&ready, 1, WAIT_MS) < 1)
      continue;
    struct packet *p = parse(bytes, recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&to, &size));
    if (p && p->type == INIT_ACK && p->destination == htons(CALLER_PORT)) {
      printf("%s:%d\n", inet_ntoa(to.sin_addr), ntohs(p->source));
      return 0;
    }
  }
  printf("nobody\n");
  return 0;
}
