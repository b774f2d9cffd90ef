/** Rows that are a workload against brokers that stay for the whole row. */
import type { Flow, WorkloadResult } from '../load/result.ts'
import { type RunWorkloadOptions, runWorkload } from '../load/run-workload.ts'
import type { Workload } from '../load/workload.ts'
import { type Figures, type Measure, note, type Outcome, outcome } from './measures.ts'
import type { Standing, StandingRow, Timing } from './row.ts'
import { VARIANTS, type Variant, varied, workloadFile } from './variants.ts'

const MB = 1e6
const GB = 1e9
const MS = 1_000

export async function load(
  workload: Workload,
  { broker }: Standing,
  timing: Pick<Timing, 'seconds' | 'warmupSeconds'>,
  kept: Pick<RunWorkloadOptions, 'keep' | 'prefix' | 'during' | 'pids'> = {},
): Promise<WorkloadResult> {
  return await runWorkload(workload, {
    bootstrap: broker.bootstrap,
    pids: broker.pids,
    warmupSeconds: timing.warmupSeconds,
    measureSeconds: timing.seconds,
    ...kept,
  })
}

const latencies = ({ latencyUs }: Flow): Figures =>
  latencyUs === null
    ? {}
    : { p50: latencyUs.p50 / MS, p99: latencyUs.p99 / MS, p999: latencyUs.p999 / MS }

const ofFlow = (flow: Flow): Figures => ({
  ...latencies(flow),
  wire: flow.wireBytes / flow.bytes,
})

/** How late the client of an open loop was to send. */
const ofLag = (flow: Flow | null): Figures =>
  flow === null || flow.sendLagUs === null ? {} : { lagP99: flow.sendLagUs.p99 / MS }

export const ofProduce = ({ produced, broker, clientCpuSeconds, seconds }: WorkloadResult) => ({
  rateMB: produced!.bytesPerSecond / MB,
  requests: produced!.requestsPerSecond,
  cpuPerGB: broker?.cpuSecondsPerGBIn ?? Number.NaN,
  cpuPerRequest: broker === null ? Number.NaN : (broker.cpuSeconds / produced!.requests) * 1e6,
  client: (clientCpuSeconds / seconds) * 100,
  ...ofFlow(produced!),
})

export const ofConsume = (result: WorkloadResult): Figures => {
  const { produced, consumed, broker, clientCpuSeconds, seconds } = result
  return {
    rateMB: consumed!.bytesPerSecond / MB,
    cpuPerGB: broker?.cpuSecondsPerGBOut ?? Number.NaN,
    client: (clientCpuSeconds / seconds) * 100,
    ...ofFlow(consumed!),
    ...ofLag(produced),
  }
}

/** Delivered for what was produced; NaN where nothing was. */
const copiesOf = ({ produced, consumed }: WorkloadResult): number =>
  consumed!.bytes / (produced?.bytes ?? 0)

const ofFanOut = (result: WorkloadResult): Figures => ({
  ...ofConsume(result),
  inMB: result.produced!.bytesPerSecond / MB,
  copies: copiesOf(result),
})

/** What is read within a window may have been written before it, and the other way round: so much is no lag. */
const COPIES_SHARE_OFF_MAX = 0.1

/** Says so where consumers that each read all did not keep up: then what was delivered is no measure of a tail read. */
export function fanOutNotes(result: WorkloadResult): string[] {
  const expected = result.workload.consume.reduce((sum, { connections }) => sum + connections, 0)
  const copies = copiesOf(result)
  if (Math.abs(copies / expected - 1) <= COPIES_SHARE_OFF_MAX) return []
  return [`**delivered ${copies.toFixed(2)} × of what was produced, not ${expected} ×**`]
}

export const CLIENT = note('client', 'CPU of the load processes', '% of a core')
export const WIRE = note('wire', 'batch bytes for a byte of values', '')
export const NOTES = [note('p50', 'p50', 'ms'), note('p99', 'p99', 'ms'), CLIENT, WIRE]

export interface Kind {
  readonly name: string
  /** Its workload, where that is called otherwise. */
  readonly file?: string
  readonly title: string
  readonly measures: readonly Measure[]
  readonly diskBytes: number
  readonly of: (result: WorkloadResult) => Figures
  /** What there is to say of a run beside what its workload says. */
  readonly notesOf?: (result: WorkloadResult) => string[]
  readonly keepsLogsSmall?: boolean
}

interface VariedKind extends Kind {
  readonly variants: readonly Variant[]
}

/** The same with compressed batches; batches of one record are what they are. */
const COMPRESSED = ['plain', 'lz4', 'zstd'] as const

const KINDS: readonly VariedKind[] = [
  {
    name: 'large-batches',
    title: 'one producer, large batches',
    measures: [
      { key: 'rateMB', label: 'throughput', unit: 'MB/s', goal: { atLeast: 3 } },
      { key: 'cpuPerGB', label: 'broker CPU', unit: 's/GB', goal: { atMost: 1 / 4 } },
      ...NOTES,
    ],
    diskBytes: 12 * GB,
    variants: VARIANTS,
    of: ofProduce,
    keepsLogsSmall: true,
  },
  {
    name: 'tiny-batches',
    title: 'eight producers, one 100-byte record a request',
    measures: [
      { key: 'requests', label: 'requests', unit: '1/s', goal: { atLeast: 2.5 } },
      { key: 'cpuPerRequest', label: 'broker CPU a request', unit: 'µs', goal: { atMost: 1 / 3 } },
      ...NOTES,
    ],
    diskBytes: 4 * GB,
    variants: COMPRESSED,
    of: ofProduce,
  },
  {
    name: 'tail-fan-out',
    file: 'fan-out',
    title: 'tail read, 1 in 5 out',
    measures: [
      { key: 'rateMB', label: 'delivered', unit: 'MB/s', goal: { atLeast: 2 } },
      {
        key: 'cpuPerGB',
        label: 'broker CPU, of what goes out',
        unit: 's/GB',
        goal: { atMost: 1 / 2 },
      },
      note('inMB', 'produced', 'MB/s'),
      note('copies', 'delivered : produced', ''),
      ...NOTES,
    ],
    diskBytes: 12 * GB,
    variants: VARIANTS,
    of: ofFanOut,
    notesOf: fanOutNotes,
    keepsLogsSmall: true,
  },
  {
    name: 'end-to-end-closed',
    title: 'end to end, one record at a time',
    measures: [
      { key: 'p50', label: 'p50', unit: 'ms', goal: { atMost: 1 / 2 } },
      { key: 'p99', label: 'p99', unit: 'ms', goal: { atMost: 1 / 3 } },
      { key: 'p999', label: 'p99.9', unit: 'ms', goal: { atMost: 1 / 3 } },
      CLIENT,
      WIRE,
    ],
    diskBytes: 4 * GB,
    variants: COMPRESSED,
    of: ofConsume,
  },
]

export const variantName = (name: string, variant: Variant): string =>
  variant === 'plain' ? name : `${name}-${variant}`

export const variantTitle = (title: string, variant: Variant): string =>
  variant === 'plain' ? title : `${title}; ${variant === '100b' ? '100-byte records' : variant}`

/**
 * Runs a workload with the topics of the first run on a broker, again and again: with `retention.bytes` a log that is kept stays as
 * large as it is, and its pages stay in the cache. New ones for each run would have the machine find pages anew, which on many
 * virtual machines takes longer than any broker.
 */
export function withKeptTopics() {
  const prefixes = new Map<string, string>()
  return async (
    workload: Workload,
    standing: Standing,
    timing: Pick<Timing, 'seconds' | 'warmupSeconds'>,
  ): Promise<WorkloadResult> => {
    const { bootstrap } = standing.broker
    const prefix = prefixes.get(bootstrap)
    const kept = prefix === undefined ? { keep: true } : { prefix }
    const result = await load(workload, standing, timing, kept)
    prefixes.set(bootstrap, result.prefix)
    return result
  }
}

export function loadRow(kind: Kind, workload: Workload): StandingRow {
  const loadAgain = withKeptTopics()
  const { name, title, measures, keepsLogsSmall = false, notesOf } = kind
  return {
    kind: 'standing',
    ...{ keepsLogsSmall, name, title, measures },
    needs: { diskBytes: kind.diskBytes, memoryBytes: 4 * GB },
    run: async (standing, timing) => {
      const result = await loadAgain(workload, standing, timing)
      return outcome(kind.of(result), [...result.notes, ...(notesOf?.(result) ?? [])])
    },
  }
}

function variedRow(kind: Kind, variant: Variant): StandingRow {
  const name = variantName(kind.name, variant)
  const title = variantTitle(kind.title, variant)
  const workload = varied(workloadFile(kind.file ?? kind.name), variant)
  return loadRow({ ...kind, name, title }, workload)
}

export const loadRows: readonly StandingRow[] = KINDS.flatMap((kind) =>
  kind.variants.map((variant) => variedRow(kind, variant)),
)

/** What Kafka's own producer has. */
const CLOSED_IN_FLIGHT = 5
const openName = 'end-to-end-open'

/** The same producers as fast as answers come: what half of is then asked for. */
function topRate(workload: Workload): Workload {
  const produce = workload.produce.map((group) => ({
    ...group,
    rate: null,
    inFlight: CLOSED_IN_FLIGHT,
  }))
  return { ...workload, name: `${workload.name}-top`, produce }
}

function openRow(variant: Variant): StandingRow {
  // found by each run of the row anew, in prepare
  let rate: number | null = null
  const loadAgain = withKeptTopics()
  const workload = () => varied(workloadFile(openName), variant)
  const top = async (standing: Standing, timing: Timing) => {
    const { consumed, notes } = await loadAgain(topRate(workload()), standing, timing)
    const { label } = standing.side
    return {
      rate: Math.round(consumed!.recordsPerSecond),
      notes: notes.map((text) => `${label} at its top rate: ${text}.`),
    }
  }
  return {
    kind: 'standing',
    keepsLogsSmall: true,
    name: variantName(openName, variant),
    title: variantTitle('end to end at half of Kafka’s top rate, open loop', variant),
    measures: [
      { key: 'p50', label: 'p50', unit: 'ms', goal: { atMost: 1 / 2 } },
      { key: 'p99', label: 'p99', unit: 'ms', goal: { atMost: 1 / 3 } },
      { key: 'p999', label: 'p99.9', unit: 'ms', goal: { atMost: 1 / 3 } },
      note('rateMB', 'delivered', 'MB/s'),
      note('cpuPerGB', 'broker CPU, of what goes out', 's/GB'),
      note('lagP99', 'the client late to send, p99', 'ms'),
      CLIENT,
      WIRE,
    ],
    needs: { diskBytes: 12 * GB, memoryBytes: 4 * GB },
    warmup: async (standing, timing) => {
      await top(standing, timing)
    },
    // at the top rate of either, so that both logs are as large as they become before anything counts
    prepare: async ({ griot, peer }, timing) => {
      const own = await top(griot, timing)
      const other = await top(peer, timing)
      rate = Math.max(1, Math.floor(other.rate / 2))
      const rates = `${peer.side.label}’s top rate was ${other.rate} records/s end to end, ${griot.side.label}’s ${own.rate}`
      return [`${rates}; the open loop has ${rate}.`, ...own.notes, ...other.notes]
    },
    run: async (standing, timing) => {
      const paced = workload()
      const produce = paced.produce.map((group) => ({ ...group, rate }))
      const result = await loadAgain({ ...paced, produce }, standing, timing)
      return outcome(ofConsume(result), result.notes)
    },
  }
}

export const openRows: readonly StandingRow[] = VARIANTS.map(openRow)

export const catchUpName = 'catch-up'
/** Batches of 0.9 MB, as `large-batches` has them. */
const filler = (variant: Variant) => varied(workloadFile('large-batches'), variant).produce
/** The harness measures something in every run; a fill has no need of it. */
const FILL_SECONDS = 0.1

/**
 * Writes what `workload` has beforehand (4 GB unless that is changed) once, and reads it as often as asked; by the broker's address, for
 * one run of a row.
 */
export function catchUp(variant: Variant, workload = workloadFile(catchUpName)) {
  const prefixes = new Map<string, string>()
  const produce = filler(variant)
  const recordBytes = produce[0]!.recordBytes
  return {
    fill: async (standing: Standing, { size }: Pick<Timing, 'size'>) => {
      const topics = workload.topics.map((set) => ({
        ...set,
        preloadBytes: Math.ceil(set.preloadBytes * size),
      }))
      const fill = { ...workload, topics, produce, consume: [] }
      const timing = { seconds: FILL_SECONDS, warmupSeconds: 0 }
      const { prefix } = await load(fill, standing, timing, { keep: true })
      prefixes.set(standing.broker.bootstrap, prefix)
    },
    read: async (
      standing: Standing,
      timing: Pick<Timing, 'seconds' | 'warmupSeconds'>,
    ): Promise<Outcome> => {
      const prefix = prefixes.get(standing.broker.bootstrap)
      if (prefix === undefined) throw new Error('catch-up: read before it was written')
      const result = await load(workload, standing, timing, { prefix })
      // the harness does not know what was written by the run before
      const gb = (result.consumed!.records * recordBytes) / GB
      const cpuSeconds = result.broker?.cpuSeconds ?? Number.NaN
      const rateMB = (gb * GB) / MB / result.seconds
      const wire = result.consumed!.wireBytes / (gb * GB)
      const { replicas } = result
      const figures = { ...ofConsume(result), rateMB, cpuPerGB: cpuSeconds / gb, wire, replicas }
      return outcome(figures, result.notes)
    },
  }
}

export function catchUpRow(
  about: Pick<StandingRow, 'name' | 'title' | 'measures' | 'needs'>,
  { fill, read }: ReturnType<typeof catchUp>,
): StandingRow {
  return {
    kind: 'standing',
    ...about,
    warmup: async (standing, timing) => {
      await fill(standing, timing)
      await read(standing, timing)
    },
    run: read,
  }
}

function variedCatchUpRow(variant: Variant): StandingRow {
  const about = {
    name: variantName(catchUpName, variant),
    title: variantTitle('one consumer reads 4 GB from the beginning', variant),
    measures: [
      { key: 'rateMB', label: 'throughput', unit: 'MB/s', goal: { atLeast: 1.3 } },
      { key: 'cpuPerGB', label: 'broker CPU', unit: 's/GB', goal: { atMost: 1 } },
      ...NOTES,
    ],
    // 4 GB on either side, and all of it in the page cache
    needs: { diskBytes: 10 * GB, memoryBytes: 12 * GB },
  }
  return catchUpRow(about, catchUp(variant))
}

export const catchUpRows: readonly StandingRow[] = VARIANTS.map(variedCatchUpRow)
