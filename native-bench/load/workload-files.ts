/** Workloads by name or path, with fields set from the command line. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { root } from '../common/root.ts'
import { parseWorkload, type Workload, WorkloadError } from './workload.ts'

const folder = join(root, 'native-bench/workloads')

/** Those that come with the package. */
export const workloadNames = (): string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => basename(name, '.json'))
    .sort()

/**
 * `name` is one of {@link workloadNames}, or the path of a file that ends with `.json`; `sets` are `produce.rate=100`. Throws
 * {@link WorkloadError}.
 */
export function readWorkload(name: string, sets: readonly string[] = []): Workload {
  const isPath = name.endsWith('.json')
  if (!isPath && !workloadNames().includes(name)) {
    throw new WorkloadError(
      `there is no workload ${JSON.stringify(name)}: there are ${workloadNames().join(', ')}, or any file that ends with .json`,
    )
  }
  const path = isPath ? name : join(folder, `${name}.json`)
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new WorkloadError(`${path}: ${(error as Error).message}`)
  }
  for (const set of sets) apply(json, set)
  return parseWorkload(json, isPath ? name : `workload ${name}`)
}

type Json = Record<string, unknown>

/** A list without a number means each of its elements. */
function apply(json: unknown, set: string): void {
  const found = /^([\w.-]+)=(.*)$/s.exec(set)
  if (found === null) {
    throw new WorkloadError(`--set ${set}: must be PATH=VALUE, as in produce.rate=1000`)
  }
  const path = found[1]!.split('.')
  const last = path.pop()!
  let places: unknown[] = [json]
  for (const name of path) {
    places = places.flatMap((place) => step(place, name, set)).filter((p) => p !== undefined)
    if (places.length === 0) throw new WorkloadError(`--set ${set}: there is no ${name}`)
  }
  for (const place of places.flat()) {
    if (typeof place !== 'object' || place === null) {
      throw new WorkloadError(`--set ${set}: ${path.join('.')} has no fields`)
    }
    ;(place as Json)[last] = parsed(found[2]!)
  }
}

function step(place: unknown, name: string, set: string): unknown[] {
  if (Array.isArray(place)) {
    if (/^\d+$/.test(name)) return [place[Number(name)]]
    return place.flatMap((item) => step(item, name, set))
  }
  if (typeof place !== 'object' || place === null) {
    throw new WorkloadError(`--set ${set}: ${name} is looked for in ${JSON.stringify(place)}`)
  }
  const value = (place as Json)[name]
  return [value]
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
