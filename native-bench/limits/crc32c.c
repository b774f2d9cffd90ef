/* CRC-32C of chunk after chunk of an area larger than the caches, by the processor's instruction or by tables.
 * Usage: crc32c hardware|table CHUNK_BYTES AREA_BYTES SECONDS; exit code 3 where there is no instruction. */
#include "limits.h"
#include <stdint.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#define WITH_CRC __attribute__((target("sse4.2")))
#define CRC_OF_8(crc, word) ((uint32_t)_mm_crc32_u64(crc, word))
#define CRC_OF_1(crc, byte) _mm_crc32_u8(crc, byte)
static int has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define WITH_CRC
#define CRC_OF_8(crc, word) __crc32cd(crc, word)
#define CRC_OF_1(crc, byte) __crc32cb(crc, byte)
static int has_instruction(void) { return 1; }
#else
#define WITH_CRC
#define CRC_OF_8(crc, word) (abort(), (uint32_t)(word) ^ (crc))
#define CRC_OF_1(crc, byte) (abort(), (uint32_t)(byte) ^ (crc))
static int has_instruction(void) { return 0; }
#endif

static uint32_t table[8][256];

static void make_tables(void) {
  for (uint32_t n = 0; n < 256; n++) {
    uint32_t rest = n;
    for (int bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >> 1) ^ 0x82f63b78u : rest >> 1;
    table[0][n] = rest;
  }
  for (int n = 0; n < 256; n++)
    for (int k = 1; k < 8; k++) table[k][n] = (table[k - 1][n] >> 8) ^ table[0][table[k - 1][n] & 0xff];
}

/* Slicing by eight. The word is put together by bytes, which compilers make one load of. */
static uint32_t by_table(uint32_t crc, const uint8_t *p, size_t n) {
  for (; n >= 8; n -= 8, p += 8) {
    crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    crc = table[7][crc & 0xff] ^ table[6][crc >> 8 & 0xff] ^ table[5][crc >> 16 & 0xff] ^ table[4][crc >> 24] ^
          table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
  }
  while (n-- > 0) crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 0xff];
  return crc;
}

/* The instruction takes three cycles but can start one each: three lanes at a time, joined by what LANE bytes of zeros
 * make of a remainder. */
enum { LANE = 2048 };
static uint32_t shift[4][256];

static void make_shift(void) {
  static uint8_t zeros[LANE];
  for (int byte = 0; byte < 4; byte++)
    for (uint32_t n = 0; n < 256; n++) shift[byte][n] = by_table(n << (8 * byte), zeros, LANE);
}

static uint32_t over_lane(uint32_t crc) {
  return shift[0][crc & 0xff] ^ shift[1][crc >> 8 & 0xff] ^ shift[2][crc >> 16 & 0xff] ^ shift[3][crc >> 24];
}

static uint64_t word_at(const uint8_t *p) {
  uint64_t word;
  memcpy(&word, p, sizeof word);
  return word;
}

WITH_CRC static uint32_t by_instruction(uint32_t crc, const uint8_t *p, size_t n) {
  for (; n >= 3 * LANE; n -= 3 * LANE, p += 3 * LANE) {
    uint32_t second = 0, third = 0;
    for (size_t at = 0; at < LANE; at += 8) {
      crc = CRC_OF_8(crc, word_at(p + at));
      second = CRC_OF_8(second, word_at(p + LANE + at));
      third = CRC_OF_8(third, word_at(p + 2 * LANE + at));
    }
    crc = over_lane(over_lane(crc) ^ second) ^ third;
  }
  for (; n >= 8; n -= 8, p += 8) crc = CRC_OF_8(crc, word_at(p));
  while (n-- > 0) crc = CRC_OF_1(crc, *p++);
  return crc;
}

int main(int argc, char **argv) {
  int hardware = argc > 1 && strcmp(argv[1], "hardware") == 0;
  if (!hardware && (argc < 2 || strcmp(argv[1], "table") != 0)) {
    fprintf(stderr, "argument 1: hardware or table was expected\n");
    return 2;
  }
  size_t chunk = size_argument(argc, argv, 2, 1 << 20);
  size_t area = size_argument(argc, argv, 3, 256 << 20);
  double seconds = seconds_argument(argc, argv, 4);
  if (area < chunk) area = chunk;
  if (hardware && !has_instruction()) {
    fprintf(stderr, "no instruction for CRC-32C that this compiler or processor knows\n");
    return NOT_HERE;
  }
  make_tables();
  make_shift();
  uint8_t *bytes = malloc(area);
  if (!bytes) fail("malloc");
  for (size_t i = 0; i < area; i++) bytes[i] = (uint8_t)(i * 2654435761u >> 13);
  /* what does not compute it right is no limit */
  uint32_t (*crc)(uint32_t, const uint8_t *, size_t) = hardware ? by_instruction : by_table;
  size_t probe = chunk < 100000 ? chunk : 100000;
  if (~crc(~0u, (const uint8_t *)"123456789", 9) != 0xe3069283u || crc(~0u, bytes, probe) != by_table(~0u, bytes, probe)) {
    fprintf(stderr, "the CRC is not right\n");
    return 1;
  }
  double start = now(), after = start, total = 0;
  size_t at = 0;
  volatile uint32_t seen = 0;
  while (after - start < seconds) {
    seen ^= crc(~0u, bytes + at, chunk);
    total += (double)chunk;
    at = at + 2 * chunk <= area ? at + chunk : 0;
    after = now();
  }
  print_line(hardware ? "crc32c" : "crc32c-table", "B/s", total / (after - start),
             "\"chunkBytes\":%zu,\"areaBytes\":%zu,\"seconds\":%g", chunk, area, seconds);
  return 0;
}
