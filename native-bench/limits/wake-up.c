/* Two threads that sleep until the other wakes them, by turns: a futex on Linux, a condition variable elsewhere.
 * A wake-up is half a turn. Usage: wake-up SECONDS */
#include "limits.h"
#include <pthread.h>
#include <stdatomic.h>

/* Whose turn it is; 2 ends it. */
static atomic_int turn;

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#define MECHANISM "futex"
static int await_not(int value) {
  while (atomic_load(&turn) == value) syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
  return atomic_load(&turn);
}
static void pass(int value) {
  atomic_store(&turn, value);
  syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
#else
#define MECHANISM "condition variable"
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int await_not(int value) {
  pthread_mutex_lock(&lock);
  while (atomic_load(&turn) == value) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  return atomic_load(&turn);
}
static void pass(int value) {
  pthread_mutex_lock(&lock);
  atomic_store(&turn, value);
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}
#endif

static void *other(void *unused) {
  while (await_not(0) != 2) pass(0);
  return unused;
}

int main(int argc, char **argv) {
  double seconds = seconds_argument(argc, argv, 1);
  pthread_t thread;
  if (pthread_create(&thread, NULL, other, NULL)) fail("pthread_create");
  double start = now(), before = start;
  while (before - start < seconds) {
    pass(1);
    await_not(1);
    double after = now();
    sample((after - before) / 2);
    before = after;
  }
  pass(2);
  pthread_join(thread, NULL);
  print_line("wake-up", "1/s", 2 * (double)sample_count / (before - start), "\"mechanism\":\"%s\",\"seconds\":%g", MECHANISM,
             seconds);
  return 0;
}
