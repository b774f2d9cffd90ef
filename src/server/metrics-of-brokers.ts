/** What `/metrics` tells of each broker, summed over its tenants. HTTP front's thread. */
import type { MetricSample, MetricSource } from '../admin/metrics-route.ts'
import { BrokerCounter, BrokerGauge, FetchCounter } from '../link/counters.ts'
import { ERROR_CLASS_NAMES } from '../link/error-class.ts'
import { CounterReader } from '../shared/counter-table.ts'
import { brokerRow, tenantRows } from './counter-rows.ts'
import type { ThreadData } from './thread.ts'
import { brokerIds, type EngineWiring } from './wiring.ts'

type Row = readonly [
  kind: 'counter' | 'gauge',
  name: string,
  help: string,
  read: (brokerId: number) => number,
]

const TOPICS = 'kafka_server_brokertopicmetrics'

export function brokerSources(data: ThreadData): MetricSource[] {
  const counters = new CounterReader(data.wiring.counters)
  const ids = brokerIds(data.settings.brokers)
  const ofTenants = (kind: number) => (brokerId: number) => {
    let sum = 0
    for (const row of tenantRows(brokerId)) sum += counters.sum(row, kind)
    return sum
  }
  const own = (kind: number) => (brokerId: number) => counters.sum(brokerRow(brokerId), kind)
  const perBroker = ([kind, name, help, read]: Row): MetricSource => ({
    ...{ kind, name, help },
    read: () => ids.map((id) => ({ labels: { broker: String(id) }, value: read(id) })),
  })
  return [
    ...produceRows(ofTenants).map(perBroker),
    refusals(ids, ofTenants),
    ...fetchRows(ofTenants).map(perBroker),
    fetchedBytes(ids, ofTenants),
    ...logRows(own, data.plan.arenaBytes).map(perBroker),
    ...metadataSources(own, controllerEpochs(data.wiring, data.settings.brokers)),
  ]
}

type Reading = (kind: number) => (brokerId: number) => number

function produceRows(of: Reading): Row[] {
  const { PRODUCES, PRODUCE_BYTES, RECORDS, DUPLICATES, WRITES_FAILED } = BrokerCounter
  const refused = (brokerId: number) =>
    ERROR_CLASS_NAMES.reduce(
      (sum, _, at) => sum + of(BrokerCounter.PRODUCES_REFUSED + at)(brokerId),
      0,
    )
  return [
    ['counter', `${TOPICS}_bytesin_total`, 'Bytes of batches taken', of(PRODUCE_BYTES)],
    ['counter', `${TOPICS}_messagesin_total`, 'Records taken', of(RECORDS)],
    ['counter', `${TOPICS}_totalproducerequests_total`, 'Batches that came', of(PRODUCES)],
    ['counter', `${TOPICS}_failedproducerequests_total`, 'Batches refused', refused],
    ['counter', 'griot_broker_duplicates_total', 'Batches that had come before', of(DUPLICATES)],
    ['counter', 'griot_broker_writes_failed_total', 'Writes that failed', of(WRITES_FAILED)],
  ]
}

function refusals(ids: readonly number[], of: Reading): MetricSource {
  return {
    kind: 'counter',
    name: 'griot_broker_produces_refused_total',
    help: 'Batches refused by brokers, by whose fault it is',
    read: () =>
      ids.flatMap((id) =>
        ERROR_CLASS_NAMES.map((reason, at) => ({
          labels: { broker: String(id), reason },
          value: of(BrokerCounter.PRODUCES_REFUSED + at)(id),
        })),
      ),
  }
}

function fetchRows(of: Reading): Row[] {
  const { LOCATES, OFFSET_LOOKUPS, WAKES } = BrokerCounter
  const { READS, READS_FAILED, BYTES } = FetchCounter
  return [
    ['counter', `${TOPICS}_bytesout_total`, 'Bytes of batches in answers', of(BYTES)],
    ['counter', `${TOPICS}_totalfetchrequests_total`, 'Partitions in fetch answers', of(READS)],
    [
      'counter',
      `${TOPICS}_failedfetchrequests_total`,
      'Partitions in fetch answers with an error',
      of(READS_FAILED),
    ],
    ['counter', 'griot_broker_locates_total', 'Offsets looked up for fetches', of(LOCATES)],
    [
      'counter',
      'griot_broker_offset_lookups_total',
      'Partitions asked for by ListOffsets',
      of(OFFSET_LOOKUPS),
    ],
    ['counter', 'griot_broker_wakes_total', 'Fronts woken for parked fetches', of(WAKES)],
  ]
}

function fetchedBytes(ids: readonly number[], of: Reading): MetricSource {
  const { BYTES, ZERO_COPY_BYTES, FILE_BYTES } = FetchCounter
  return {
    kind: 'counter',
    name: 'griot_fetch_bytes_total',
    help: 'Bytes of batches in answers, by where they came from',
    read: () =>
      ids.flatMap((id): MetricSample[] => {
        const broker = String(id)
        const [zeroCopy, file] = [of(ZERO_COPY_BYTES)(id), of(FILE_BYTES)(id)]
        return [
          { labels: { broker, source: 'ring_zero_copy' }, value: zeroCopy },
          { labels: { broker, source: 'ring_copy' }, value: of(BYTES)(id) - zeroCopy - file },
          { labels: { broker, source: 'file' }, value: file },
        ]
      }),
  }
}

function logRows(own: Reading, ringBudgetBytes: number): Row[] {
  const B = BrokerGauge
  const flushSeconds = (id: number) => own(B.FLUSH_US)(id) / 1e6
  const flushes = 'kafka_log_logflushstats_logflushrateandtimems_count'
  return [
    [
      'gauge',
      'kafka_server_replicamanager_offlinereplicacount',
      'Replicas whose log has failed and has not been opened again',
      own(B.PARTITIONS_FAILED_NOW),
    ],
    [
      'gauge',
      'griot_broker_log_bytes',
      'Bytes of the logs opened since the start',
      own(B.LOG_BYTES_NOW),
    ],
    ['gauge', 'griot_broker_logs_open', 'Partition logs open', own(B.LOGS_OPEN_NOW)],
    ['counter', 'griot_broker_logs_opened_total', 'Partition logs opened', own(B.LOGS_OPENED)],
    ['gauge', 'griot_broker_partitions_failed', 'Failed partitions', own(B.PARTITIONS_FAILED_NOW)],
    ['gauge', 'griot_broker_ring_bytes', 'Memory of ring logs', own(B.RING_BYTES_NOW)],
    [
      'gauge',
      'griot_broker_ring_budget_bytes',
      'Limit of the memory of ring logs',
      () => ringBudgetBytes,
    ],
    [
      'gauge',
      'griot_broker_rings_retired',
      'Ring logs that have ended and are still being sent',
      own(B.RINGS_RETIRED_NOW),
    ],
    ['counter', flushes, 'Flushes of files and directories', own(B.FLUSHES)],
    [
      'counter',
      'griot_broker_flush_seconds_total',
      'From the request of a flush until it was done, summed',
      flushSeconds,
    ],
    ['counter', 'griot_broker_flushes_failed_total', 'Flushes that failed', own(B.FLUSHES_FAILED)],
    ['gauge', 'griot_broker_flushes_waiting', 'Flushes waiting', own(B.FLUSHES_WAITING_NOW)],
    [
      'gauge',
      'griot_broker_disk_writable',
      '1 while produce is taken, 0 with too little free space',
      own(B.DISK_WRITABLE_NOW),
    ],
    [
      'gauge',
      'griot_broker_yields_leadership',
      '1 while other brokers lead what this one would, since its own disk is full',
      own(B.YIELDS_NOW),
    ],
    ['counter', 'griot_broker_commands_total', 'Commands taken from fronts', own(B.TURN_COMMANDS)],
  ]
}

/** Of each broker, the term in which it is the controller: 0 for all but one. Who was killed has not said that it leads no more. */
export function controllerEpochs(wiring: EngineWiring, brokers: number): () => number[] {
  const counters = new CounterReader(wiring.counters)
  const rows = brokerIds(brokers).map(brokerRow)
  return () => {
    const said = rows.map((row) => counters.sum(row, BrokerGauge.CONTROLLER_EPOCH_NOW))
    const latest = Math.max(...said)
    return said.map((epoch) => (epoch === latest ? epoch : 0))
  }
}

/** As the controller's broker knows: who is away, or has just come back, knows of less. */
function metadataSources(own: Reading, epochs: () => number[]): MetricSource[] {
  const controller = () =>
    1 +
    Math.max(
      0,
      epochs().findIndex((epoch) => epoch > 0),
    )
  const gauge = (name: string, help: string, kind: number): MetricSource => ({
    kind: 'gauge',
    name: `kafka_controller_kafkacontroller_${name}`,
    help,
    read: () => [{ labels: {}, value: own(kind)(controller()) }],
  })
  return [
    gauge('globaltopiccount', 'Topics of all tenants', BrokerGauge.TOPICS_NOW),
    gauge('globalpartitioncount', 'Partitions of all tenants', BrokerGauge.PARTITIONS_NOW),
    {
      kind: 'gauge',
      name: 'griot_controller_epoch',
      help: 'Term in which this broker is the controller; 0: it is not',
      read: () => epochs().map((value, at) => ({ labels: { broker: String(at + 1) }, value })),
    },
  ]
}
