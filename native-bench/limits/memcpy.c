/* Copies chunk after chunk between two areas that are larger than the caches unless told otherwise.
 * Usage: memcpy CHUNK_BYTES AREA_BYTES SECONDS */
#include "limits.h"

int main(int argc, char **argv) {
  size_t chunk = size_argument(argc, argv, 1, 1 << 20);
  size_t area = size_argument(argc, argv, 2, 256 << 20);
  double seconds = seconds_argument(argc, argv, 3);
  if (area < chunk) area = chunk;
  char *from = malloc(area), *to = malloc(area);
  if (!from || !to) fail("malloc");
  /* every page is there before the clock starts */
  memset(from, 1, area);
  memset(to, 2, area);
  double start = now(), after = start, bytes = 0;
  size_t at = 0;
  while (after - start < seconds) {
    memcpy(to + at, from + at, chunk);
    /* the copy is observed, so that it is not left out */
    __asm__ volatile("" : : "r"(to) : "memory");
    bytes += (double)chunk;
    at = at + 2 * chunk <= area ? at + chunk : 0;
    after = now();
  }
  print_line("memcpy", "B/s", bytes / (after - start), "\"chunkBytes\":%zu,\"areaBytes\":%zu,\"seconds\":%g", chunk, area,
             seconds);
  return 0;
}
