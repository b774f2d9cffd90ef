/* What one TCP connection over 127.0.0.1 carries here: a child writes chunks, this process reads them; then one-byte
 * round trips. Usage: loopback CHUNK_BYTES SECONDS. Prints one JSON line. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static double cpu_of(int who) {
  struct rusage u;
  getrusage(who, &u);
  return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void send_chunks(int fd, size_t chunk, double seconds) {
  char *buffer = malloc(chunk);
  if (!buffer) fail("malloc");
  memset(buffer, 'x', chunk);
  double end = now() + seconds;
  while (now() < end)
    for (size_t sent = 0; sent < chunk;) {
      ssize_t n = write(fd, buffer + sent, chunk - sent);
      if (n <= 0) fail("write");
      sent += (size_t)n;
    }
  shutdown(fd, SHUT_WR);
}

static void echo_bytes(int fd) {
  char byte;
  while (read(fd, &byte, 1) == 1)
    if (write(fd, &byte, 1) != 1) fail("write");
}

int main(int argc, char **argv) {
  size_t chunk = argc > 1 ? strtoul(argv[1], NULL, 10) : 1 << 20;
  double seconds = argc > 2 ? atof(argv[2]) : 2;
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof at;
  if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 2)) fail("listen");
  if (getsockname(listener, (struct sockaddr *)&at, &length)) fail("getsockname");
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    for (int turn = 0; turn < 2; turn++) {
      int fd = socket(AF_INET, SOCK_STREAM, 0);
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      if (connect(fd, (struct sockaddr *)&at, sizeof at)) fail("connect");
      if (turn == 0) send_chunks(fd, chunk, seconds);
      else echo_bytes(fd);
      close(fd);
    }
    exit(0);
  }
  int fd = accept(listener, NULL, NULL);
  char *buffer = malloc(chunk);
  double start = now(), bytes = 0;
  for (ssize_t n; (n = read(fd, buffer, chunk)) > 0;) bytes += (double)n;
  double elapsed = now() - start;
  close(fd);
  fd = accept(listener, NULL, NULL);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  enum { TRIPS = 20000 };
  static double trips[TRIPS];
  char byte = 'x';
  for (int i = 0; i < TRIPS; i++) {
    double sent = now();
    if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1) fail("round trip");
    trips[i] = now() - sent;
  }
  close(fd);
  waitpid(child, NULL, 0);
  qsort(trips, TRIPS, sizeof *trips, compare);
  double cpu = cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN);
  printf("{\"limit\":\"loopback\",\"program\":\"c\",\"chunkBytes\":%zu,\"bytesPerSecond\":%.0f,\"cpuSeconds\":%.3f,"
         "\"roundTripUsP50\":%.1f,\"roundTripUsP99\":%.1f}\n",
         chunk, bytes / elapsed, cpu, trips[TRIPS / 2] * 1e6, trips[TRIPS * 99 / 100] * 1e6);
  return 0;
}
