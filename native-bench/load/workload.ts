/** A workload as its JSON file has it, with defaults put in, and what is refused with the place that is wrong. */
import { Fields, WorkloadError } from './fields.ts'

export { WorkloadError }

export const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type CompressionName = (typeof COMPRESSIONS)[number]

/** Topics that a run makes, under names of its own, and removes again. */
export interface TopicSet {
  /** What groups call it: `main` unless said. */
  readonly name: string
  readonly count: number
  readonly partitions: number
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, string>>
  /** Written before anything is measured; 0 = nothing. Bytes of record values, over all topics of the set. */
  readonly preloadBytes: number
}

export interface ProduceGroup {
  readonly kind: 'produce'
  readonly name: string
  readonly topic: string
  readonly processes: number
  /** Producers, each with a connection (to each leader) of its own, shared out over the processes. */
  readonly connections: number
  /** Records a second over all connections, from a constant schedule (open loop); null = as fast as answers come (closed loop). */
  readonly rate: number | null
  /** Requests that a connection has outstanding at most. */
  readonly inFlight: number
  readonly recordBytes: number
  readonly recordsPerBatch: number
  /** Distinct batches that are built beforehand, to be sent in turn. */
  readonly distinctBatches: number
  readonly compression: CompressionName
  /** 0, 1 or −1 (all). */
  readonly acks: number
  readonly idempotence: boolean
  /**
   * What failed with an error that passes, or with its connection, is sent again, in sequence, to whoever leads then; otherwise
   * the first error ends the run.
   */
  readonly retries: boolean
}

export interface ConsumeGroup {
  readonly kind: 'consume'
  readonly name: string
  readonly topic: string
  readonly processes: number
  /** Consumers, each with a connection (to each leader) of its own. */
  readonly connections: number
  /** `split`: a partition has one consumer; `all`: every consumer reads every partition. */
  readonly assign: 'split' | 'all'
  readonly from: 'beginning' | 'end'
  /** Begins again at the start when all was read; otherwise the end of the log is waited at. */
  readonly rewind: boolean
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly partitionMaxBytes: number
  /**
   * Latency counts from the intended send time of a record until a consumer has it, not from a fetch's request. Producers
   * of the topic then write that time into each batch's header, as its timestamp: microseconds since the run began.
   */
  readonly endToEnd: boolean
}

export interface Workload {
  readonly name: string
  readonly description: string
  readonly topics: readonly TopicSet[]
  readonly produce: readonly ProduceGroup[]
  readonly consume: readonly ConsumeGroup[]
}

const NAME = /^[a-z0-9][a-z0-9-]{0,48}$/
/** A batch must fit a request, and brokers refuse more than 1 MiB by default. */
const BATCH_BYTES_MAX = 64 << 20

/** `where` is the file's name. Throws {@link WorkloadError} naming the field, what it holds, and what it may hold. */
export function parseWorkload(json: unknown, where: string): Workload {
  const fields = Fields.of(json, where)
  if (fields.has('tenants')) {
    fields.refuse('tenants', 'is not supported yet: there are no tenants; leave it out')
  }
  const workload: Workload = {
    name: fields.text('name', undefined, NAME),
    description: fields.text('description', ''),
    topics: fields.list('topics', true).map(parseTopics),
    produce: fields.list('produce', false).map(parseProduce),
    consume: fields
      .list('consume', false)
      .map((group) => parseConsume(group, fields.flag('endToEnd', false))),
  }
  // known also where nobody consumes
  if (fields.flag('endToEnd', false) && workload.consume.length === 0) {
    fields.refuse('endToEnd', 'needs an entry of consume')
  }
  fields.done()
  checkWhole(workload, where)
  return workload
}

function parseTopics(fields: Fields): TopicSet {
  const set: TopicSet = {
    name: fields.text('name', 'main', NAME),
    count: fields.whole('count', 1, 1, 100_000),
    partitions: fields.whole('partitions', 1, 1, 100_000),
    replicationFactor: fields.whole('replicationFactor', 1, 1, 100),
    configs: fields.texts('configs'),
    preloadBytes: fields.whole('preloadBytes', 0, 0, 2 ** 45),
  }
  fields.done()
  return set
}

function parseProduce(fields: Fields): ProduceGroup {
  const group: ProduceGroup = {
    kind: 'produce',
    name: fields.text('name', 'produce', NAME),
    topic: fields.text('topic', 'main', NAME),
    processes: fields.whole('processes', 1, 1, 256),
    connections: fields.whole('connections', 1, 1, 10_000),
    rate: fields.numberOrNull('rate', null, 0.001, 1e9),
    inFlight: fields.whole('inFlight', 5, 1, 100_000),
    recordBytes: fields.whole('recordBytes', 1024, 1, BATCH_BYTES_MAX),
    recordsPerBatch: fields.whole('recordsPerBatch', 1, 1, 1_000_000),
    distinctBatches: fields.whole('distinctBatches', 8, 1, 1_000),
    compression: fields.oneOf('compression', COMPRESSIONS, 'none'),
    acks: fields.oneOf('acks', [0, 1, -1], -1),
    idempotence: fields.flag('idempotence', false),
    retries: fields.flag('retries', false),
  }
  fields.done()
  if (group.recordBytes * group.recordsPerBatch > BATCH_BYTES_MAX) {
    fields.refuse('recordsPerBatch', `makes a batch of more than ${BATCH_BYTES_MAX} bytes`)
  }
  if (group.idempotence && group.acks !== -1) {
    fields.refuse('acks', 'must be -1 where idempotence is true')
  }
  if (group.idempotence && group.inFlight > 5) {
    fields.refuse('inFlight', 'must be at most 5 where idempotence is true')
  }
  if (group.retries && !group.idempotence) {
    fields.refuse('retries', 'needs idempotence: a batch that is sent again could be there twice')
  }
  if (group.processes > group.connections) {
    fields.refuse('processes', `must be at most connections, ${group.connections}`)
  }
  return group
}

/** `endToEnd` of the workload is what each group has that does not say. */
function parseConsume(fields: Fields, endToEnd: boolean): ConsumeGroup {
  const group: ConsumeGroup = {
    kind: 'consume',
    name: fields.text('name', 'consume', NAME),
    topic: fields.text('topic', 'main', NAME),
    processes: fields.whole('processes', 1, 1, 256),
    connections: fields.whole('connections', 1, 1, 10_000),
    assign: fields.oneOf('assign', ['split', 'all'], 'split'),
    from: fields.oneOf('from', ['beginning', 'end'], 'end'),
    rewind: fields.flag('rewind', false),
    maxWaitMs: fields.whole('maxWaitMs', 500, 0, 60_000),
    minBytes: fields.whole('minBytes', 1, 0, 2 ** 30),
    maxBytes: fields.whole('maxBytes', 50 << 20, 1, 2 ** 30),
    partitionMaxBytes: fields.whole('partitionMaxBytes', 1 << 20, 1, 2 ** 30),
    endToEnd: fields.flag('endToEnd', endToEnd),
  }
  fields.done()
  if (group.processes > group.connections) {
    fields.refuse('processes', `must be at most connections, ${group.connections}`)
  }
  return group
}

/** What no field shows by itself. */
function checkWhole(workload: Workload, where: string): void {
  const refuse = (what: string) => {
    throw new WorkloadError(`${where}: ${what}`)
  }
  const names = new Map(workload.topics.map((set) => [set.name, set]))
  if (workload.produce.length + workload.consume.length === 0) {
    refuse('there is neither an entry of produce nor one of consume: nothing to do')
  }
  if (names.size < workload.topics.length) refuse('two entries of topics have the same name')
  const groups = [...workload.produce, ...workload.consume]
  for (const { kind, name, topic } of groups) {
    const known = [...names.keys()].join(', ')
    if (!names.has(topic)) {
      refuse(`${kind} ${name}: topic is ${JSON.stringify(topic)}, but topics has only ${known}`)
    }
  }
  if (new Set(groups.map(({ name }) => name)).size < groups.length) {
    refuse('two groups have the same name; give each entry of produce and consume a name')
  }
  for (const group of workload.consume) {
    const set = names.get(group.topic)!
    const most = set.count * set.partitions
    if (group.assign === 'split' && group.connections > most) {
      refuse(
        `consume ${group.name}: ${group.connections} connections cannot share ${most} partitions`,
      )
    }
  }
  for (const set of workload.topics) {
    const sizes = workload.produce.filter(({ topic }) => topic === set.name)
    if (new Set(sizes.map(({ recordBytes }) => recordBytes)).size > 1) {
      refuse(`topics ${set.name}: all its producers must have the same recordBytes`)
    }
  }
  for (const group of workload.consume) if (group.endToEnd) checkEndToEnd(workload, group, refuse)
}

function checkEndToEnd(
  workload: Workload,
  group: ConsumeGroup,
  refuse: (what: string) => void,
): void {
  if (!workload.produce.some(({ topic }) => topic === group.topic)) {
    refuse(`consume ${group.name}: endToEnd needs an entry of produce with the same topic`)
  }
  if (group.from !== 'end' || group.rewind) {
    refuse(`consume ${group.name}: endToEnd needs "from": "end" and no rewind`)
  }
}

/** Whether producers write the intended send time into the batches of this set. */
export const isStamped = (workload: Workload, topic: string): boolean =>
  workload.consume.some((group) => group.endToEnd && group.topic === topic)

/** Whose records a preload has: the set's first producers', or large batches of 1 KiB records where nobody else writes. */
export function sourceOf(workload: Workload, set: TopicSet): ProduceGroup {
  return workload.produce.find(({ topic }) => topic === set.name) ?? preloader(set.name)
}

const preloader = (topic: string): ProduceGroup => ({
  ...{ kind: 'produce', name: 'preload', topic, processes: 1, connections: 1, rate: null },
  ...{ inFlight: 5, recordBytes: 1024, recordsPerBatch: 900, distinctBatches: 8 },
  ...{ compression: 'none', acks: -1, idempotence: false, retries: false },
})
