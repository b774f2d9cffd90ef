/** A controller's machine and the image that follows from it, for tests of what it decides. */
import { ErrorCode, errorName } from '../../src/base/error-code.ts'
import type { CellId, TenantId } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ControllerMachine } from '../../src/controller/machine.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type { ConfigResource, ControllerRequest, MorePartitions } from '../../src/image/request.ts'
import { TimelineRegistry } from '../../src/machine/timeline.ts'

export const OTHER = 'bbbbbbbbbbbbbbbb' as TenantId
export const TOPIC = 2
export const BROKER = 4
export const LOGGER = 8
export const METRICS = 16
export const GROUP = 32
export const SET = 0
export const DELETE = 1
export const APPEND = 2
export const SUBTRACT = 3

export type Change = readonly [name: string, operation: number, value?: string | null]
export const resource = (type: number, name: string, ...changes: Change[]): ConfigResource => ({
  type,
  name,
  changes: changes.map(([one, operation, value = null]) => ({ name: one, operation, value })),
})

/** A machine with topics `t` and `u` of two partitions, and the image that follows from its entries. */
export function controller(brokerConfigs: Record<string, string> = {}, partitionsMax = 1_000_000) {
  const registry = new TimelineRegistry()
  const settings = {
    ...{ cells: 1, brokersPerCell: 3, defaultPartitions: 4, isReplicated: false },
    ...{ partitionsMax, brokerConfigs },
  }
  const machine = new ControllerMachine(registry, settings, { random: new SeededRandom(42) })
  const image = new MetadataImage(brokerConfigs)
  let offset = 0
  const append = (entries: readonly MetadataEntry[]) => {
    for (const entry of entries) {
      registry.replaying(offset++)
      machine.replay(entry)
      image.apply(structuredClone(entry))
    }
  }
  append(machine.form())
  append([
    { kind: 'tenant-created', tenantId: OTHER, name: 'other', clusterId: 'x', cellId: 1 as CellId },
  ])
  const tenantId = machine.state.tenants.byName.get('default')!
  const create = (name: string, tenant: TenantId, configs: Record<string, string> = {}) => {
    const topic = {
      ...{ name, partitions: 2, replicationFactor: -1, assignments: [] },
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
    }
    const request = { kind: 'create-topics', validateOnly: false, topics: [topic] } as const
    const { entries, response } = machine.decide({ tenantId: tenant, request })
    append(entries)
    if (response.kind !== 'create-topics') throw new Error('another kind of answer')
    return verdict(response.results[0]!)
  }
  const remove = (name: string) => {
    const request = { kind: 'delete-topics', topics: [{ name }] } as const
    append(machine.decide({ tenantId, request }).entries)
  }
  for (const name of ['t', 'u']) create(name, tenantId)
  create('theirs', OTHER)
  const alter = (
    resources: readonly ConfigResource[],
    { incremental = true, validateOnly = false, nodeId = 1, tenant = tenantId } = {},
  ) => {
    const kind = 'alter-configs'
    const request = { kind, incremental, validateOnly, nodeId, resources } as const
    const { entries, response } = machine.decide({ tenantId: tenant, request })
    append(entries)
    if (response.kind !== kind) throw new Error('another kind of answer')
    return { entries, said: response.results.map(verdict) }
  }
  const grow = (topics: readonly MorePartitions[], validateOnly = false, tenant = tenantId) => {
    const kind = 'create-partitions'
    const decision = machine.decide({ tenantId: tenant, request: { kind, validateOnly, topics } })
    append(decision.entries)
    if (decision.response.kind !== kind) throw new Error('another kind of answer')
    const said = decision.response.results.map((one) => `${one.name} ${verdict(one)}`)
    return { entries: decision.entries, said }
  }
  const ask = (tenant: TenantId, request: ControllerRequest) => {
    const { entries, response } = machine.decide({ tenantId: tenant, request })
    append(entries)
    return response
  }
  const configs = (name: string) => image.topicByName(tenantId, name)?.configs
  return { machine, image, tenantId, create, remove, alter, grow, configs, ask }
}

export const verdict = ({
  error,
  message,
}: {
  readonly error: number
  readonly message: string | null
}) => (error === ErrorCode.NONE ? 'NONE' : `${errorName(error)}: ${message}`)
