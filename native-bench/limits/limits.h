/* What every program here shares: a clock, an error, percentiles, and the one line that each prints. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Exit code of a program that this machine has no use for. */
#define NOT_HERE 3

static inline double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

__attribute__((noreturn, unused)) static void fail(const char *what) {
  perror(what);
  exit(1);
}

__attribute__((unused)) static size_t size_argument(int argc, char **argv, int at, size_t otherwise) {
  if (argc <= at) return otherwise;
  char *end;
  size_t value = strtoul(argv[at], &end, 10);
  if (*end != 0 || value == 0) {
    fprintf(stderr, "argument %d: a number above 0 was expected, not %s\n", at, argv[at]);
    exit(2);
  }
  return value;
}

__attribute__((unused)) static double seconds_argument(int argc, char **argv, int at) {
  double value = argc > at ? atof(argv[at]) : 1;
  if (value > 0 && value <= 3600) return value;
  fprintf(stderr, "argument %d: seconds from above 0 to 3600 were expected, not %s\n", at, argv[at]);
  exit(2);
}

/* Listens on a port of 127.0.0.1 that the system picks; `at` is told which. */
__attribute__((unused)) static int listen_on_loopback(struct sockaddr_in *at) {
  socklen_t length = sizeof *at;
  *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0) fail("socket");
  if (bind(listener, (struct sockaddr *)at, sizeof *at) || listen(listener, 1)) fail("listen");
  if (getsockname(listener, (struct sockaddr *)at, &length)) fail("getsockname");
  return listener;
}

__attribute__((unused)) static int connect_to(const struct sockaddr_in *at) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) fail("socket");
  if (connect(fd, (const struct sockaddr *)at, sizeof *at)) fail("connect");
  return fd;
}

/* Durations of a loop that may run longer than there is room: from then on each takes a random earlier one's place,
 * so that all have the same chance to be kept. */
enum { SAMPLES_MAX = 1 << 20 };
static double *samples;
static size_t sample_count, sample_kept;

__attribute__((unused)) static void sample(double seconds) {
  static unsigned long long state = 88172645463325252ull;
  if (samples == NULL && (samples = malloc(SAMPLES_MAX * sizeof *samples)) == NULL) fail("malloc");
  if (sample_count++ < SAMPLES_MAX) {
    samples[sample_kept++] = seconds;
    return;
  }
  state ^= state << 13, state ^= state >> 7, state ^= state << 17;
  size_t at = (size_t)(state % sample_count);
  if (at < SAMPLES_MAX) samples[at] = seconds;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* `arguments` is a format for the inside of a JSON object. Percentiles are there when there were samples. */
__attribute__((unused, format(printf, 4, 5))) static void print_line(const char *name, const char *unit, double value,
                                                                     const char *arguments, ...) {
  printf("{\"name\":\"%s\",\"unit\":\"%s\",\"value\":%.6g", name, unit, value);
  if (sample_kept > 0) {
    qsort(samples, sample_kept, sizeof *samples, ascending);
    printf(",\"p50Us\":%.2f,\"p99Us\":%.2f", samples[sample_kept / 2] * 1e6, samples[sample_kept * 99 / 100] * 1e6);
  }
  printf(",\"args\":{");
  va_list list;
  va_start(list, arguments);
  vprintf(arguments, list);
  va_end(list);
  printf("}}\n");
}
