/** Random sets of ACLs with what Kafka's StandardAuthorizer says about them, as AuthorizerCases.java here writes them. */
import { type AclBinding, refuseBinding, supportedOperations } from '../../src/image/acl-binding.ts'
import { type AclFilter, filterMatches } from '../../src/image/acl-filter.ts'
import { Acls } from '../../src/tenant/authorizer.ts'

type Asked = readonly [string, string, never, never, string]

export interface Replayed {
  /** Lines on which we say something else than Kafka, with the set they are from. */
  readonly differences: readonly string[]
  /** Answers compared, by the letter of the line. */
  readonly compared: ReadonlyMap<string, number>
}

/** Answers every question of `text` anew, and compares. */
export function replay(text: string): Replayed {
  const differences: string[] = []
  const compared = new Map<string, number>()
  let acls = new Acls()
  let added: AclBinding[] = []
  let set = ''
  for (const line of text.trimEnd().split('\n')) {
    const [letter, ...fields] = line.split('\t') as [string, ...string[]]
    if (letter === 'C') {
      const superUsers = fields[2]!.split(';')
      acls = new Acls({ superUsers, allowEveryoneIfNoAclFound: fields[1] === '1' })
      added = []
      set = fields[0]!
    } else if (letter === 'A') {
      added.push(bindingOf(fields))
      if (!acls.add(added.at(-1)!)) differences.push(`set ${set}: not added: ${line}`)
    } else if (letter === 'R') {
      if (!acls.remove(bindingOf(fields))) differences.push(`set ${set}: not removed: ${line}`)
    } else {
      compared.set(letter, (compared.get(letter) ?? 0) + 1)
      const { kafka, ours } = answers(letter, fields, acls, added)
      if (!agree(letter, kafka, ours)) differences.push(`set ${set}: we say ${ours}: ${line}`)
    }
  }
  return { differences, compared }
}

/** We refuse whatever Kafka refuses, and more besides. */
const agree = (letter: string, kafka: string, ours: string): boolean =>
  kafka === ours || (letter === 'V' && kafka === '1')

function answers(letter: string, fields: string[], acls: Acls, added: readonly AclBinding[]) {
  const [kafka, ...asked] = fields as [string, ...string[]]
  const told = (yes: boolean): string => (yes ? '1' : '0')
  switch (letter) {
    case 'O':
      return { kafka: asked[0]!, ours: String(supportedOperations(Number(kafka))) }
    case 'V':
      return { kafka, ours: told(refuseBinding(bindingOf(asked)) === null) }
    case 'Q':
      return { kafka, ours: told(acls.authorise(...question(asked))) }
    case 'T': {
      const [principal, host, operation, type] = question(asked)
      return { kafka, ours: told(acls.authoriseByResourceType(principal, host, operation, type)) }
    }
    case 'F': {
      const filter = filterOf(asked)
      const places = added.flatMap((binding, at) =>
        added.lastIndexOf(binding) === at && acls.has(binding) && filterMatches(filter, binding)
          ? [at]
          : [],
      )
      return { kafka, ours: places.join(',') }
    }
    default:
      throw new Error(`a line that begins with ${letter}`)
  }
}

const question = ([principal, host, operation, type, name]: string[]): Asked => [
  principal!,
  host!,
  Number(operation) as never,
  Number(type) as never,
  name!,
]

function bindingOf(fields: readonly string[]): AclBinding {
  const [type, resourceName, pattern, principal, host, operation, permission] = fields
  return {
    resourceType: Number(type),
    resourceName: resourceName!,
    patternType: Number(pattern),
    principal: principal!,
    host: host!,
    operation: Number(operation),
    permissionType: Number(permission),
  }
}

function filterOf(fields: readonly string[]): AclFilter {
  const binding = bindingOf(fields)
  const orNull = (text: string): string | null => (text === '\\N' ? null : text)
  return {
    ...binding,
    resourceName: orNull(binding.resourceName),
    principal: orNull(binding.principal),
    host: orNull(binding.host),
  }
}
