/** Fields that, by their names and kinds, name a thing and do not say what. */
import type { Api } from '../../src/protocol/api.ts'
import { type Field, type Fields, walkFields } from '../../src/protocol/schema.ts'

/** Names of fields that, to all appearance, name a thing; by the kinds of field in which they do. */
const LOOKS_LIKE_A_NAME =
  /name|topic|group(?!State|Type)|member|transactional|client|cluster|user|principal|resource|host|key|message|pattern|regex/i
const LOOKS_LIKE_AN_ID = /producer.*id$|cluster.*id$|session.*id$/i
const LOOKS_LIKE_A_NODE =
  /^(node|leader|replica|broker|controller)ids?$|nodes$|replicas?$|elr$|coordinatorId/i

function needsEntity(name: string, field: Field): boolean {
  switch (field.kind) {
    case 'uuid':
      return true
    case 'string':
      return LOOKS_LIKE_A_NAME.test(name)
    case 'int32':
      return LOOKS_LIKE_A_NODE.test(name)
    case 'int64':
      return LOOKS_LIKE_AN_ID.test(name)
    default:
      return false
  }
}

export function untagged(all: readonly Api[]): string[] {
  return all.flatMap(({ name, request, response }) => [
    ...untaggedFields(`${name} request`, request),
    ...untaggedFields(`${name} response`, response),
  ])
}

export function untaggedFields(title: string, fields: Fields): string[] {
  const found: string[] = []
  walkFields(fields, (path, name, field) => {
    if (needsEntity(name, field) && field.entity === undefined) found.push(`${title} ${path}`)
  })
  return found
}
