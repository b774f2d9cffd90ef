/* Group commit: as many small appends as there are appenders, then one fdatasync for all. The file grows as a log does,
 * and is cut when it has become large. Latency is that of the fdatasync alone.
 * Usage: fdatasync FILE APPENDERS RECORD_BYTES SECONDS */
#include "limits.h"
#include <fcntl.h>

#if defined(__APPLE__)
#define SYNC(fd) fcntl(fd, F_FULLFSYNC)
#else
#define SYNC(fd) fdatasync(fd)
#endif
enum { FILE_MAX = 64 << 20 };

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "argument 1: a file was expected\n");
    return 2;
  }
  size_t appenders = size_argument(argc, argv, 2, 1);
  size_t bytes = size_argument(argc, argv, 3, 1024);
  double seconds = seconds_argument(argc, argv, 4);
  int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
  char *record = malloc(bytes);
  if (fd < 0 || !record) fail(argv[1]);
  memset(record, 'x', bytes);
  size_t size = 0;
  double start = now(), after = start;
  while (after - start < seconds) {
    for (size_t i = 0; i < appenders; i++)
      if (write(fd, record, bytes) != (ssize_t)bytes) fail("write");
    double before = now();
    if (SYNC(fd)) fail("fdatasync");
    after = now();
    sample(after - before);
    if ((size += appenders * bytes) >= FILE_MAX) {
      if (ftruncate(fd, 0)) fail("ftruncate");
      size = 0;
    }
  }
  close(fd);
  unlink(argv[1]);
  double rate = (double)sample_count / (after - start);
  print_line("fdatasync", "1/s", rate, "\"appenders\":%zu,\"recordBytes\":%zu,\"seconds\":%g,\"recordsPerSecond\":%.0f",
             appenders, bytes, seconds, rate * (double)appenders);
  return 0;
}
