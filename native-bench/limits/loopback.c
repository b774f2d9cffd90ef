/* What one TCP connection over 127.0.0.1 carries here: a child writes chunks, this process reads them.
 * Usage: loopback CHUNK_BYTES SECONDS */
#include "limits.h"
#include <sys/resource.h>
#include <sys/wait.h>

static double cpu_of(int who) {
  struct rusage u;
  getrusage(who, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
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
}

int main(int argc, char **argv) {
  size_t chunk = size_argument(argc, argv, 1, 1 << 20);
  double seconds = seconds_argument(argc, argv, 2);
  struct sockaddr_in at;
  int listener = listen_on_loopback(&at);
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    int fd = connect_to(&at);
    send_chunks(fd, chunk, seconds);
    close(fd);
    exit(0);
  }
  int fd = accept(listener, NULL, NULL);
  if (fd < 0) fail("accept");
  char *buffer = malloc(chunk);
  if (!buffer) fail("malloc");
  double start = now(), bytes = 0;
  for (ssize_t n; (n = read(fd, buffer, chunk)) > 0;) bytes += (double)n;
  double elapsed = now() - start;
  waitpid(child, NULL, 0);
  double cpu = cpu_of(RUSAGE_SELF) + cpu_of(RUSAGE_CHILDREN);
  print_line("loopback", "B/s", bytes / elapsed, "\"chunkBytes\":%zu,\"seconds\":%g,\"cpuSecondsPerGb\":%.3f", chunk,
             seconds, cpu / bytes * 1e9);
  return 0;
}
