/** Rows of three nodes: three replicas of each partition, of which two must have a record, and idempotent producers. */
import type { WorkloadResult } from '../load/result.ts'
import { type Figures, type Measure, note } from './measures.ts'
import type { FreshRow, Row, StandingRow } from './row.ts'
import { memory, memoryMeasures } from './rows-fresh.ts'
import { killLeader, killMeasures } from './rows-kill.ts'
import {
  CLIENT,
  catchUp,
  catchUpName,
  catchUpRow,
  type Kind,
  loadRow,
  NOTES,
  ofConsume,
  ofProduce,
  WIRE,
} from './rows-load.ts'
import { REPLICAS, type Replicas, replicated, workloadFile } from './variants.ts'

const GB = 1e9
/** What the names of these rows end with. */
export const REPLICATED = '-rf3'
/** Three copies of it are written, on either side. */
const CATCH_UP_BYTES = 1.5 * GB

const MADE = note('replicas', 'replicas, of the partition with the fewest', '')

const withReplicas =
  (of: (result: WorkloadResult) => Figures) =>
  (result: WorkloadResult): Figures => ({ ...of(result), replicas: result.replicas })

const KINDS: readonly Kind[] = [
  {
    name: 'large-batches',
    title: 'one producer, large batches',
    measures: [
      { key: 'rateMB', label: 'throughput', unit: 'MB/s', goal: { atLeast: 5 } },
      { key: 'cpuPerGB', label: 'CPU of all brokers', unit: 's/GB', goal: { atMost: 1 / 6 } },
      ...[...NOTES, MADE],
    ],
    diskBytes: 16 * GB,
    of: withReplicas(ofProduce),
    keepsLogsSmall: true,
  },
  {
    name: 'tiny-batches',
    title: 'eight producers, one 100-byte record a request',
    measures: [
      { key: 'requests', label: 'requests', unit: '1/s', goal: { atLeast: 8 } },
      {
        key: 'cpuPerRequest',
        label: 'CPU of all brokers a request',
        unit: 'µs',
        goal: { atMost: 1 / 10 },
      },
      ...[...NOTES, MADE],
    ],
    diskBytes: 6 * GB,
    of: withReplicas(ofProduce),
  },
  {
    name: 'end-to-end-closed',
    title: 'end to end, one record at a time',
    measures: [
      { key: 'p50', label: 'p50', unit: 'ms', goal: { atMost: 1 / 3 } },
      { key: 'p99', label: 'p99', unit: 'ms', goal: { atMost: 1 / 4 } },
      { key: 'p999', label: 'p99.9', unit: 'ms', goal: { atMost: 1 / 4 } },
      ...[CLIENT, WIRE, MADE],
    ],
    diskBytes: 4 * GB,
    of: withReplicas(ofConsume),
  },
]

const measuresOfCatchUp: readonly Measure[] = [
  { key: 'cpuPerGB', label: 'CPU of all brokers', unit: 's/GB', goal: { atMost: 1 / 2 } },
  note('rateMB', 'throughput', 'MB/s'),
  ...[...NOTES, MADE],
]

function smallerCatchUp(replicas: Replicas): StandingRow {
  const workload = replicated(workloadFile(catchUpName), replicas)
  const topics = workload.topics.map((set) => ({ ...set, preloadBytes: CATCH_UP_BYTES }))
  return catchUpRow(
    {
      name: catchUpName,
      title: 'one consumer reads 1.5 GB from the beginning, again and again',
      measures: measuresOfCatchUp,
      needs: { diskBytes: 12 * GB, memoryBytes: 14 * GB },
    },
    catchUp('plain', { ...workload, topics }),
  )
}

/** Rows that are a workload which needs no failure, with so many replicas; topics are theirs for as long as they are used. */
export const rowsWith = (replicas: Replicas): readonly StandingRow[] => [
  ...KINDS.map((kind) => loadRow(kind, replicated(workloadFile(kind.name), replicas))),
  smallerCatchUp(replicas),
]

export const killRow = (): StandingRow => ({
  kind: 'standing',
  name: 'kill-leader',
  title: 'the leader’s broker is killed while one producer writes batches of 16 records of 1 KiB',
  measures: [...killMeasures({ atMost: 1 / 60 }), MADE],
  needs: { diskBytes: 16 * GB, memoryBytes: 8 * GB },
  keepsLogsSmall: true,
  killsBrokers: true,
  ...killLeader(),
})

const memoryRow: FreshRow = {
  kind: 'fresh',
  name: 'memory',
  title: 'RSS of fresh processes, and after large batches, tiny batches and fan-out, 7.5 s each',
  measures: [...memoryMeasures({ atMost: 1 / 6 }), MADE],
  needs: { diskBytes: 40 * GB, memoryBytes: 8 * GB },
  run: (side, sandbox, timing) =>
    memory(side, sandbox, timing, (workload) => replicated(workload, REPLICAS)),
}

const ofThree = (row: Row): Row => ({ ...row, name: `${row.name}${REPLICATED}`, nodes: 3 })

export const replicatedRows: readonly Row[] = [...rowsWith(REPLICAS), memoryRow, killRow()].map(
  ofThree,
)
