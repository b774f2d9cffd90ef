/** ACLs and SCRAM users: made, described and removed, by a client that may do everything. */
import { describeAcls } from '../../../src/protocol/29-describe-acls.ts'
import { createAcls } from '../../../src/protocol/30-create-acls.ts'
import { deleteAcls } from '../../../src/protocol/31-delete-acls.ts'
import { describeUserScramCredentials } from '../../../src/protocol/50-describe-user-scram-credentials.ts'
import { alterUserScramCredentials } from '../../../src/protocol/51-alter-user-scram-credentials.ts'
import { type Scenario, type Side, versionsOf } from '../side.ts'

/** Kafka's broker learns a moment later what its controller has done. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 300))

type Acl = readonly [
  type: number,
  name: string,
  pattern: number,
  user: string,
  operation: number,
  permission: number,
]

/** None about the cluster: here the client of the comparison is no super user, and would be locked out. */
const acls: readonly Acl[] = [
  [2, 'acl-orders', 3, 'acl-alice', 3, 3],
  [2, 'acl-orders', 3, 'acl-alice', 4, 3],
  [2, 'acl-orders', 3, 'acl-bob', 3, 2],
  [2, 'acl-', 4, 'acl-bob', 8, 3],
  [3, 'acl-group', 3, 'acl-alice', 3, 3],
  [5, 'acl-tx', 4, 'acl-alice', 4, 3],
]

const creationOf = ([
  resourceType,
  resourceName,
  resourcePatternType,
  user,
  operation,
  permissionType,
]: Acl) => ({
  ...{ resourceType, resourceName, resourcePatternType, principal: `User:${user}` },
  ...{ host: '*', operation, permissionType },
})

const any = {
  ...{ resourceTypeFilter: 1, resourceNameFilter: null, patternTypeFilter: 1 },
  ...{ principalFilter: null, hostFilter: null, operation: 1, permissionType: 1 },
}

/** By what they leave open. */
const filters: Readonly<Record<string, Partial<{ [K in keyof typeof any]: unknown }>>> = {
  all: {},
  'a type': { resourceTypeFilter: 3 },
  'a name, literal': { resourceNameFilter: 'acl-orders', patternTypeFilter: 3 },
  'a name, prefixed': { resourceNameFilter: 'acl-orders', patternTypeFilter: 4 },
  'a name, matching': { resourceNameFilter: 'acl-orders', patternTypeFilter: 2 },
  'a name of any pattern': { resourceNameFilter: 'acl-', patternTypeFilter: 1 },
  'a principal': { principalFilter: 'User:acl-bob' },
  'an operation': { operation: 3 },
  'a permission': { permissionType: 2 },
  'a host': { hostFilter: '*' },
  'another host': { hostFilter: '10.0.0.1' },
  'a name that nobody has': { resourceNameFilter: 'acl-nobody', patternTypeFilter: 2 },
}

export const clearAcls = async (side: Side): Promise<void> => {
  await side.quietly(deleteAcls, 3, { filters: [any] })
  await settle()
}

const SALT = new Uint8Array(16).fill(7)
const upsert = (name: string, mechanism: number, iterations = 4096) => ({
  ...{ name, mechanism, iterations, salt: SALT },
  saltedPassword: new Uint8Array(mechanism === 2 ? 64 : 32).fill(1),
})

export const userScenarios: readonly Scenario[] = [
  {
    name: 'acls',
    needs: [30, 31],
    async run(side) {
      await clearAcls(side)
      for (const version of versionsOf(createAcls)) {
        await side.ask('made', createAcls, version, { creations: acls.map(creationOf) })
        await side.ask('made again', createAcls, version, { creations: [creationOf(acls[0]!)] })
        await side.ask('none', createAcls, version, { creations: [] })
        await settle()
        for (const [step, filter] of Object.entries(filters)) {
          await side.ask(`described: ${step}`, describeAcls, version, {
            ...any,
            ...filter,
          } as never)
        }
        const orders = { ...any, resourceNameFilter: 'acl-orders', patternTypeFilter: 3 }
        await side.ask('removed', deleteAcls, version, {
          filters: [orders, { ...any, resourceTypeFilter: 3 }, { ...any, resourceNameFilter: 'x' }],
        })
        await side.ask('no filters', deleteAcls, version, { filters: [] })
        await settle()
        await side.ask('described: what is left', describeAcls, version, any)
        await side.ask('removed: the rest', deleteAcls, version, { filters: [any] })
        await settle()
      }
    },
  },
  {
    name: 'scram-users',
    needs: [50, 51],
    async run(side) {
      const alter = (step: string, deletions: object[], upsertions: object[]) =>
        side.ask(step, alterUserScramCredentials, 0, { deletions, upsertions } as never)
      const remove = (name: string, mechanism: number) => ({ name, mechanism })
      await alter('nothing', [], [])
      await alter('two made', [], [upsert('scram-a', 1), upsert('scram-b', 2, 16384)])
      await alter('another mechanism', [], [upsert('scram-a', 2, 5000)])
      await alter('made again, with more iterations', [], [upsert('scram-a', 1, 8192)])
      await alter('too few iterations', [], [upsert('scram-c', 1, 4095)])
      await alter('too many iterations', [], [upsert('scram-c', 1, 16385)])
      await alter('no iterations', [], [upsert('scram-c', 1, -1)])
      await alter('an unknown mechanism', [], [upsert('scram-c', 3), upsert('scram-d', 0)])
      await alter('no name', [], [upsert('', 1)])
      await alter('twice', [], [upsert('scram-c', 1), upsert('scram-c', 2)])
      await alter(
        'three times',
        [],
        [upsert('scram-c', 1), upsert('scram-c', 1), upsert('scram-c', 1)],
      )
      await alter('removed and made', [remove('scram-a', 1)], [upsert('scram-a', 2)])
      await alter('good and bad', [], [upsert('scram-c', 1, 1), upsert('scram-d', 1)])
      await alter('removed of nobody', [remove('scram-nobody', 1)], [])
      await alter('removed of nobody, twice', [remove('scram-x', 1), remove('scram-x', 1)], [])
      await alter('a mechanism that it has not', [remove('scram-b', 1)], [])
      await alter('no name to remove', [remove('', 1)], [])
      await alter('an unknown mechanism to remove', [remove('scram-a', 7)], [])
      await settle()
      const describe = (step: string, ...names: string[]) =>
        side.ask(step, describeUserScramCredentials, 0, {
          users: names.length === 0 ? null : names.map((name) => ({ name })),
        })
      await describe('all')
      await describe('one', 'scram-a')
      await describe('one twice, one unknown', 'scram-a', 'scram-a', 'scram-b', 'scram-nobody')
      await alter('removed', [remove('scram-a', 1), remove('scram-b', 2)], [])
      await settle()
      await describe('what is left', 'scram-a', 'scram-b')
      await alter('the rest removed', [remove('scram-a', 2), remove('scram-d', 1)], [])
    },
  },
]
