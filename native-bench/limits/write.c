/* Writes chunk after chunk into a file that is kept small and written over, so that its pages are in the cache from the
 * second pass on: what is measured is the copy into the page cache, not how a host hands out memory.
 * Usage: write FILE CHUNK_BYTES FILE_BYTES SECONDS */
#include "limits.h"
#include <fcntl.h>

static void write_at(int fd, const char *buffer, size_t bytes, size_t at) {
  for (size_t sent = 0; sent < bytes;) {
    ssize_t n = pwrite(fd, buffer + sent, bytes - sent, (off_t)(at + sent));
    if (n <= 0) fail("pwrite");
    sent += (size_t)n;
  }
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "argument 1: a file was expected\n");
    return 2;
  }
  size_t chunk = size_argument(argc, argv, 2, 1 << 20);
  size_t size = size_argument(argc, argv, 3, 256 << 20);
  double seconds = seconds_argument(argc, argv, 4);
  if (size < chunk) size = chunk;
  int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
  char *buffer = malloc(chunk);
  if (fd < 0 || !buffer) fail(argv[1]);
  memset(buffer, 'x', chunk);
  for (size_t at = 0; at + chunk <= size; at += chunk) write_at(fd, buffer, chunk, at);
  double start = now(), before = start, bytes = 0;
  size_t at = 0;
  while (before - start < seconds) {
    write_at(fd, buffer, chunk, at);
    bytes += (double)chunk;
    at = at + 2 * chunk <= size ? at + chunk : 0;
    double after = now();
    sample(after - before);
    before = after;
  }
  close(fd);
  unlink(argv[1]);
  print_line("write", "B/s", bytes / (before - start), "\"chunkBytes\":%zu,\"fileBytes\":%zu,\"seconds\":%g", chunk, size,
             seconds);
  return 0;
}
