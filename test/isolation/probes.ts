/** The requests that a tenant sends in another's words, made from the schemas: every field that names a thing, in every version that has it. */
import { SeededRandom } from '../../src/base/random.ts'
import type { Api } from '../../src/protocol/api.ts'
import { type Field, type Fields, walkFields } from '../../src/protocol/schema.ts'
import { includes } from '../../src/protocol/version-range.ts'
import { TENANT_BOUND } from '../../src/tenant/scope.ts'
import type { ApiBase, BaseRequest } from './bases.ts'
import type { Facts } from './facts.ts'
import { literals, mutated, type Value } from './foreign.ts'

export interface Probe {
  /** `topics[0].name = "orders"`. */
  readonly title: string
  readonly request: BaseRequest
  /** The field that it changes: `topics[].name`; null for a request that is sent as it is. */
  readonly path: string | null
}

export interface ProbeOptions {
  /** Of what is nearly another's, so many of each field and request, drawn by `seed`; all there are unless given. */
  readonly mutationsMax?: number
  readonly seed: number
}

/** Fields without a tag that hold what a tenant's things are counted by. */
const IS_INDEX = /^(partition|partitionIndex|partitionIndexes|partitions|index)$/

export const isBound = (field: Field): boolean =>
  field.entity !== undefined && TENANT_BOUND.has(field.entity)

/** Paths of what requests of that version name. */
export function boundPaths(api: Api, version: number): Set<string> {
  const paths = new Set<string>()
  const absent: string[] = []
  walkFields(api.request, (path, _name, field) => {
    if (!includes(field.versions, version)) absent.push(path)
    const isCarried = !absent.some(
      (one) => path === one || (/^[.[]/.test(path.slice(one.length)) && path.startsWith(one)),
    )
    if (isBound(field) && isCarried) paths.add(path)
  })
  return paths
}

/**
 * What tenant `b` sends: what it may, in `a`'s words as a whole; each field that names something of one request of each of them set to what is `a`'s, and to
 * what is nearly that; all there is; and last what it may in its own words, since that changes its own things.
 */
export function probesOf(
  api: Api,
  version: number,
  base: ApiBase,
  { a, b, ...options }: ProbeOptions & { readonly a: Facts; readonly b: Facts },
): Probe[] {
  const random = new SeededRandom(options.seed + api.key * 64 + version)
  const own = requestsOf(api, version, base, b)
  const foreign = requestsOf(api, version, base, a)
  const whole = (title: string) => (request: BaseRequest, n: number) => ({
    ...{ title: `${title} ${n}`, request, path: null },
  })
  const changed = [
    ...own.flatMap((request, n) => changesOf(request, `own ${n}`, valuesOf(a, random, options))),
    ...foreign.flatMap((request, n) =>
      changesOf(request, `foreign ${n}`, (field) =>
        field.entity === undefined ? [] : literals(field.entity, b),
      ),
    ),
  ]
  return [...foreign.map(whole('foreign')), ...changed, ...own.map(whole('own'))]

  function changesOf(request: BaseRequest, title: string, values: ValuesOf): Probe[] {
    return changes(api.request, version, request, values).map((probe) => ({
      ...probe,
      title: `${title}: ${probe.title}`,
    }))
  }
}

type ValuesOf = (field: Field, name: string) => readonly Value[]

function valuesOf(
  facts: Facts,
  random: SeededRandom,
  { mutationsMax = Number.POSITIVE_INFINITY }: ProbeOptions,
): ValuesOf {
  return (field, name) => {
    if (field.kind === 'int32' && IS_INDEX.test(name)) {
      return [facts.shared.partitions - 1, ...facts.partitionNumbers.slice(0, 2)]
    }
    if (!isBound(field)) return []
    const literal = literals(field.entity!, facts)
    const near = [...new Set(literal.flatMap((one) => mutated(one, facts)))]
    while (near.length > mutationsMax) near.splice(random.below(near.length), 1)
    return [...literal, ...near]
  }
}

/** Each field in turn set to each of its values; arrays to nothing and, where that is possible, to all there is. */
function changes(fields: Fields, version: number, request: BaseRequest, values: ValuesOf): Probe[] {
  const found: Probe[] = []
  walk(fields, request, '', (changed) => changed)
  return found

  function walk(
    inside: Fields,
    row: BaseRequest,
    prefix: string,
    rebuild: (changed: BaseRequest) => BaseRequest,
  ): void {
    for (const [name, field] of Object.entries(inside)) {
      if (!includes(field.versions, version)) continue
      visit(field, name, row[name], prefix + name, (changed) =>
        rebuild({ ...row, [name]: changed }),
      )
    }
  }

  function visit(
    field: Field,
    name: string,
    value: unknown,
    path: string,
    rebuild: (changed: unknown) => BaseRequest,
  ): void {
    const add = (changed: unknown) =>
      found.push({
        title: `${path} = ${JSON.stringify(changed)}`,
        ...{ path: path.replaceAll(/\[\d+\]/g, '[]'), request: rebuild(changed) },
      })
    if (field.kind !== 'array') {
      for (const other of values(field, name)) if (other !== value) add(other)
    }
    if (field.fields !== undefined && value !== null && value !== undefined) {
      walk(field.fields, value as BaseRequest, `${path}.`, rebuild)
    }
    if (field.element === undefined) return
    if (prefixless(path)) {
      add([])
      if (includes(field.nullable, version)) add(null)
    }
    if (!Array.isArray(value)) return
    value.forEach((one, at) => {
      const withOne = (changed: unknown) => rebuild(value.with(at, changed))
      visit(field.element!, name, one, `${path}[${at}]`, withOne)
    })
  }
}

const prefixless = (path: string): boolean => !path.includes('.')

/** The base requests, as that version has them. */
export const requestsOf = (api: Api, version: number, base: ApiBase, facts: Facts): BaseRequest[] =>
  base.requests(facts, version).map((request) => carried(api.request, version, request))

/** What a version has of a request; the rest is at its default. */
function carried(fields: Fields, version: number, row: BaseRequest): BaseRequest {
  const kept: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    const value = row[name]
    if (value === undefined || !includes(field.versions, version)) continue
    kept[name] = carriedValue(field, version, value)
  }
  return kept
}

function carriedValue(field: Field, version: number, value: unknown): unknown {
  if (value === null) return null
  if (field.kind === 'struct') return carried(field.fields!, version, value as BaseRequest)
  if (field.kind !== 'array' || field.element!.fields === undefined) return value
  return (value as BaseRequest[]).map((one) => carried(field.element!.fields!, version, one))
}
