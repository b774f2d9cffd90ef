/**
 * Record values that compress as much as lines of a log or JSON do: of records of 1 KiB in batches from 64 KiB on about half
 * remains with lz4, and a third with zstd.
 */

const WORDS = 1_000
const PHRASES = 100
const PHRASE_WORDS_MIN = 4
const PHRASE_WORDS_MAX = 8
/** How often a phrase that comes again is written, or an id that never does; else it is a word. */
const PHRASE_SHARE = 0.35
const ID_SHARE = 0.6
const ID_LETTERS_MIN = 8
const ID_LETTERS_MAX = 16
const ID_LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
const ONSETS = 'b c d f g h l m n p r s t v st tr ch sh pl br'.split(' ')
const VOWELS = 'a e i o u ea ou ai'.split(' ')
const CODAS = ['', '', '', 'n', 'r', 's', 't', 'l', 'm', 'nd', 'rs', 'ng']

type Random = () => number

/** Numbers from 0 up to 1, the same ones for the same seed (Mulberry32). */
function randomOf(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const between = (min: number, max: number, random: Random): number =>
  min + Math.floor(random() * (max - min + 1))

const oneOf = (all: readonly string[] | string, random: Random): string =>
  all[Math.floor(random() * all.length)]!

/** Few are used often, and most hardly ever. */
const oftenOneOf = (all: readonly string[], random: Random): string =>
  all[Math.floor(random() ** 2 * all.length)]!

const repeated = (times: number, make: () => string): string =>
  Array.from({ length: times }, make).join('')

function word(random: Random): string {
  const syllable = () => oneOf(ONSETS, random) + oneOf(VOWELS, random) + oneOf(CODAS, random)
  return `${repeated(between(1, 3, random), syllable)} `
}

interface Vocabulary {
  readonly words: readonly string[]
  readonly phrases: readonly string[]
}

function makeVocabulary(): Vocabulary {
  const random = randomOf(1)
  const words = Array.from({ length: WORDS }, () => word(random))
  const phrases = Array.from({ length: PHRASES }, () =>
    repeated(between(PHRASE_WORDS_MIN, PHRASE_WORDS_MAX, random), () => oftenOneOf(words, random)),
  )
  return { words, phrases }
}

let vocabulary: Vocabulary | null = null

function next({ words, phrases }: Vocabulary, random: Random): string {
  const which = random()
  if (which < PHRASE_SHARE) return oftenOneOf(phrases, random)
  if (which >= PHRASE_SHARE + ID_SHARE) return oftenOneOf(words, random)
  const letters = between(ID_LETTERS_MIN, ID_LETTERS_MAX, random)
  return `${repeated(letters, () => oneOf(ID_LETTERS, random))} `
}

/** The same bytes for the same seed. */
export function textValue(bytes: number, seed: number): Buffer {
  vocabulary ??= makeVocabulary()
  const random = randomOf(Math.imul(seed + 1, 0x9e3779b1))
  const value = Buffer.allocUnsafe(bytes)
  for (let at = 0; at < bytes; ) at += value.write(next(vocabulary, random), at, 'latin1')
  return value
}
