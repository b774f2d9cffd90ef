/* How often a message goes to another process and back over one TCP connection on 127.0.0.1.
 * Usage: round-trip BYTES SECONDS */
#include "limits.h"
#include <netinet/tcp.h>
#include <sys/wait.h>

static void no_delay(int fd) {
  int one = 1;
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one)) fail("TCP_NODELAY");
}

/* 0 when the other side has closed. */
static int read_all(int fd, char *buffer, size_t bytes) {
  for (size_t have = 0; have < bytes;) {
    ssize_t n = read(fd, buffer + have, bytes - have);
    if (n == 0) return 0;
    if (n < 0) fail("read");
    have += (size_t)n;
  }
  return 1;
}

static void write_all(int fd, const char *buffer, size_t bytes) {
  for (size_t sent = 0; sent < bytes;) {
    ssize_t n = write(fd, buffer + sent, bytes - sent);
    if (n <= 0) fail("write");
    sent += (size_t)n;
  }
}

int main(int argc, char **argv) {
  size_t bytes = size_argument(argc, argv, 1, 1);
  double seconds = seconds_argument(argc, argv, 2);
  char *buffer = calloc(1, bytes);
  if (!buffer) fail("calloc");
  struct sockaddr_in at;
  int listener = listen_on_loopback(&at);
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    int fd = connect_to(&at);
    no_delay(fd);
    while (read_all(fd, buffer, bytes)) write_all(fd, buffer, bytes);
    exit(0);
  }
  int fd = accept(listener, NULL, NULL);
  if (fd < 0) fail("accept");
  no_delay(fd);
  double start = now(), before = start, end = start + seconds;
  while (before < end) {
    write_all(fd, buffer, bytes);
    if (!read_all(fd, buffer, bytes)) fail("echo");
    double after = now();
    sample(after - before);
    before = after;
  }
  close(fd);
  waitpid(child, NULL, 0);
  print_line("round-trip", "1/s", (double)sample_count / (before - start), "\"bytes\":%zu,\"seconds\":%g", bytes, seconds);
  return 0;
}
