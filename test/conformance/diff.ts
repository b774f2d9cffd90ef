/** What two engines answered to the same requests, compared; and what of it is known, with a reason. */
import type { Flat } from './normalise.ts'

/** One request and what came of it on one side. */
export interface Answered {
  readonly scenario: string
  readonly step: string
  readonly api: string
  readonly version: number
  readonly answer: Flat
}

export interface Difference {
  readonly scenario: string
  readonly step: string
  readonly api: string
  readonly versions: readonly number[]
  readonly path: string
  readonly kafka: string
  readonly griot: string
}

/** A difference that stays, and why. What is left out matches everything; `*` in a text stands for any characters. */
export interface KnownDifference {
  readonly scenario?: string
  readonly step?: string
  readonly api?: string
  /** `*`, `3`, `0-2`, `4-`. */
  readonly versions?: string
  readonly path?: string
  readonly kafka?: string
  readonly griot?: string
  readonly reason: string
}

const ABSENT = '(absent)'

/** The differences between the same steps of two sides; those that differ only in version are one. */
export function compare(kafka: readonly Answered[], griot: readonly Answered[]): Difference[] {
  const found = new Map<string, Difference & { versions: number[] }>()
  const note = (step: Answered, path: string, kafkaText: string, griotText: string) => {
    const { scenario, step: what, api, version } = step
    const general = (text: string) => withoutVersion(text, version)
    const texts = { path: general(path), kafka: general(kafkaText), griot: general(griotText) }
    const key = JSON.stringify([scenario, what, api, texts])
    const known = found.get(key)
    if (known === undefined) {
      found.set(key, { scenario, step: what, api, versions: [version], ...texts })
    } else if (!known.versions.includes(version)) known.versions.push(version)
  }
  for (let i = 0; i < Math.max(kafka.length, griot.length); i++) {
    const ours = griot[i]
    const theirs = kafka[i]
    if (ours === undefined || theirs === undefined || !isSameStep(ours, theirs)) {
      note((theirs ?? ours)!, '(step)', stepOf(theirs), stepOf(ours))
      break
    }
    // One that did not answer at all differs in that alone.
    if (hasAnswered(ours.answer) !== hasAnswered(theirs.answer)) {
      note(theirs, '(outcome)', outcomeOf(theirs.answer), outcomeOf(ours.answer))
      continue
    }
    for (const [path, a, b] of differing(theirs.answer, ours.answer)) note(theirs, path, a, b)
  }
  return [...found.values()]
}

/** Names that are made for one version (`create-5-many`), without it. */
const withoutVersion = (text: string, version: number): string =>
  text.replaceAll(new RegExp(`(?<=[a-z][-._])${version}(?!\\d)`, 'g'), 'N')

const isSameStep = (a: Answered, b: Answered): boolean =>
  a.scenario === b.scenario && a.step === b.step && a.api === b.api && a.version === b.version

const stepOf = (one: Answered | undefined): string =>
  one === undefined ? ABSENT : `${one.step} ${one.api} v${one.version}`

/** What an answer amounts to, in a word or with its first error. */
export function outcomeOf(flat: Flat): string {
  const outcome = flat.get('(outcome)')
  if (outcome !== undefined) return outcome
  for (const [path, text] of flat) if (/errorCode$/.test(path) && !/^0 /.test(text)) return text
  return 'answered'
}

const hasAnswered = (flat: Flat): boolean => !flat.has('(outcome)')

/** Paths with what each side has there. Of an array's element that one side lacks, only the first field. */
function differing(a: Flat, b: Flat): [path: string, a: string, b: string][] {
  const found: [string, string, string][] = []
  const [elementsOfA, elementsOfB] = [elementsOf(a), elementsOf(b)]
  const told = new Set<string>()
  for (const path of new Set([...a.keys(), ...b.keys()])) {
    const [textA, textB] = [a.get(path) ?? ABSENT, b.get(path) ?? ABSENT]
    if (textA === textB) continue
    const parents = parentsOf(path)
    const lacking = parents.find((one) => elementsOfA.has(one) !== elementsOfB.has(one))
    if (lacking !== undefined) {
      if (told.has(lacking)) continue
      told.add(lacking)
    }
    found.push([path, textA, textB])
  }
  return found
}

const elementsOf = (flat: Flat): ReadonlySet<string> => new Set([...flat.keys()].flatMap(parentsOf))

/** `a[x].b[y].` has `a[x].` and `a[x].b[y].`. */
function parentsOf(path: string): string[] {
  const parents: string[] = []
  for (let at = path.indexOf('].'); at >= 0; at = path.indexOf('].', at + 1)) {
    parents.push(path.slice(0, at + 2))
  }
  return parents
}

export interface Judged {
  readonly unknown: readonly Difference[]
  readonly known: readonly Difference[]
  /** Listed, but seen no more. */
  readonly gone: readonly KnownDifference[]
}

/** Sorts differences into those that are listed and those that are not; each listed one must still be seen. */
export function judge(
  differences: readonly Difference[],
  listed: readonly KnownDifference[],
): Judged {
  const unknown: Difference[] = []
  const known: Difference[] = []
  const seen = new Set<KnownDifference>()
  for (const difference of differences) {
    const left = difference.versions.filter((version) => {
      const hits = listed.filter((one) => matches(one, difference, version))
      for (const hit of hits) seen.add(hit)
      return hits.length === 0
    })
    if (left.length > 0) unknown.push({ ...difference, versions: left })
    const rest = difference.versions.filter((version) => !left.includes(version))
    if (rest.length > 0) known.push({ ...difference, versions: rest })
  }
  return { unknown, known, gone: listed.filter((one) => !seen.has(one)) }
}

function matches(one: KnownDifference, difference: Difference, version: number): boolean {
  const { scenario, step, api, path, kafka, griot } = difference
  return (
    fits(one.scenario, scenario) &&
    fits(one.step, step) &&
    fits(one.api, api) &&
    fits(one.path, path) &&
    fits(one.kafka, kafka) &&
    fits(one.griot, griot) &&
    hasVersion(one.versions, version)
  )
}

const patterns = new Map<string, RegExp>()

/** Whether `text` is what `pattern` says; `*` stands for any characters, `|` on the outside for alternatives. */
export function fits(pattern: string | undefined, text: string): boolean {
  if (pattern === undefined || pattern === '*') return true
  let regex = patterns.get(pattern)
  if (regex === undefined) {
    const quoted = pattern.replace(/[.+?^${}()[\]\\]/g, '\\$&').replaceAll('*', '.*')
    regex = new RegExp(`^(?:${quoted})$`, 's')
    patterns.set(pattern, regex)
  }
  return regex.test(text)
}

function hasVersion(range: string | undefined, version: number): boolean {
  if (range === undefined || range === '*') return true
  const [min, max] = range.split('-') as [string, string | undefined]
  if (max === undefined) return version === Number(min)
  return version >= Number(min) && (max === '' || version <= Number(max))
}
