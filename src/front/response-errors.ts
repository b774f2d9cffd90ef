import type { FetchResponseInput } from '../protocol/01-fetch.ts'
import type { Api } from '../protocol/api.ts'
import type { Fields } from '../protocol/schema.ts'
import type { TopicAnswer } from './pending-produce.ts'

/** Counts one error of an answer. */
export type OnError = (error: number) => void

/** Calls `onError` for each error that is not NONE in an answer. */
type ErrorWalk = (response: unknown, onError: OnError) => void

/** Where errors are within a struct of a response. */
interface ErrorPlaces {
  readonly hasError: boolean
  readonly arrays: readonly (readonly [name: string, places: ErrorPlaces])[]
}

/** The errors in answers of `api`, as its schema names them; for the two that matter spelled out. */
export function errorWalkOf(api: Api): ErrorWalk {
  if (api.key === 0) return walkProduce
  if (api.key === 1) return walkFetch
  const places = placesIn(api.response)
  if (places === null) return () => {}
  return (response, onError) => walk(places, response as Record<string, unknown>, onError)
}

function walkProduce(response: unknown, onError: OnError): void {
  const { responses } = response as { readonly responses: readonly TopicAnswer[] }
  for (const { partitionResponses } of responses) {
    for (const { errorCode } of partitionResponses) if (errorCode !== 0) onError(errorCode)
  }
}

function walkFetch(response: unknown, onError: OnError): void {
  const { errorCode, responses } = response as FetchResponseInput
  if (errorCode !== undefined && errorCode !== 0) onError(errorCode)
  for (const { partitions } of responses) {
    for (const part of partitions) if (part.errorCode !== 0) onError(part.errorCode)
  }
}

function placesIn(fields: Fields): ErrorPlaces | null {
  const arrays: [string, ErrorPlaces][] = []
  for (const [name, field] of Object.entries(fields)) {
    const inner = field.element?.fields
    const places = inner === undefined ? null : placesIn(inner)
    if (places !== null) arrays.push([name, places])
  }
  const hasError = fields.errorCode !== undefined
  return hasError || arrays.length > 0 ? { hasError, arrays } : null
}

function walk(places: ErrorPlaces, value: Record<string, unknown>, onError: OnError): void {
  // a field with a default may be missing
  const error = places.hasError ? (value.errorCode as number | undefined) : 0
  if (error !== undefined && error !== 0) onError(error)
  for (const [name, inner] of places.arrays) {
    const elements = value[name] as readonly Record<string, unknown>[] | null | undefined
    if (elements == null) continue
    for (const element of elements) walk(inner, element, onError)
  }
}
