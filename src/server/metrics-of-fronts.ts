/** What `/metrics` tells of connections and requests, read at each scrape. HTTP front's thread. */
import type { HistogramSample, MetricSample, MetricSource } from '../admin/metrics-route.ts'
import {
  COUNTED_APIS,
  FrontCounter,
  LATENCY_BOUNDS_US,
  LATENCY_FROM,
  NET_COUNTS_FROM,
  RequestCounter,
  requestKind,
} from '../link/counters.ts'
import { ERROR_CLASS_NAMES } from '../link/error-class.ts'
import { ConnectionCount } from '../net/connection-counts.ts'
import { CounterReader } from '../shared/counter-table.ts'
import { THREAD_ROW, tenantRows } from './counter-rows.ts'
import type { ThreadData } from './thread.ts'

export function frontSources(data: ThreadData): MetricSource[] {
  const counters = new CounterReader(data.wiring.counters)
  return [...requestSources(counters), ...connectionSources(data, counters)]
}

/** Over all tenants and fronts. */
function requestSources(counters: CounterReader): MetricSource[] {
  const sum = (kind: number) => {
    let total = 0
    for (const row of tenantRows(0)) total += counters.sum(row, kind)
    return total
  }
  const perApi = (name: string, help: string, slot: number, scale = 1): MetricSource => ({
    ...{ kind: 'counter', name, help },
    read: () =>
      COUNTED_APIS.map(([key, request]) => ({
        labels: { request },
        value: sum(requestKind(key) + slot) * scale,
      })),
  })
  const { REQUESTS, TIME_US, REQUEST_BYTES, RESPONSE_BYTES } = RequestCounter
  return [
    perApi('kafka_network_requestmetrics_requests_total', 'Requests answered', REQUESTS),
    errorSource(sum),
    perApi('griot_request_seconds_total', 'From arrival to answer, summed', TIME_US, 1e-6),
    perApi('griot_request_bytes_total', 'Bytes of requests answered', REQUEST_BYTES),
    perApi('griot_response_bytes_total', 'Bytes of answers', RESPONSE_BYTES),
    latencySource(sum),
  ]
}

const errorSource = (sum: (kind: number) => number): MetricSource => ({
  kind: 'counter',
  name: 'kafka_network_requestmetrics_errors_total',
  help: 'Errors in answers, one per topic or partition, by whose fault they are',
  read: () =>
    COUNTED_APIS.flatMap(([key, request]): MetricSample[] =>
      ERROR_CLASS_NAMES.map((error, at) => ({
        labels: { request, error },
        value: sum(requestKind(key) + RequestCounter.ERRORS + at),
      })),
    ),
})

const latencySource = (sum: (kind: number) => number): MetricSource => ({
  kind: 'histogram',
  name: 'griot_request_duration_seconds',
  help: 'From arrival to answer; a fetch may wait for records',
  read: () =>
    LATENCY_FROM.map((from, key): HistogramSample => {
      const bounds = LATENCY_BOUNDS_US.map((us) => us / 1e6)
      return {
        labels: { request: COUNTED_APIS.find(([counted]) => counted === key)![1] },
        bounds,
        counts: Array.from({ length: bounds.length + 1 }, (_, at) => sum(from + at)),
        sum: sum(requestKind(key) + RequestCounter.TIME_US) / 1e6,
      }
    }),
})

/** Reads one front's slots. */
type Pick = (value: (kind: number) => number) => number
type Row = readonly [kind: 'counter' | 'gauge', name: string, help: string, pick: Pick]
/** One series per label. */
type Rows = readonly [
  kind: 'counter' | 'gauge',
  name: string,
  help: string,
  label: string,
  slots: Readonly<Record<string, number>>,
]

const slot =
  (kind: number): Pick =>
  (value) =>
    value(kind)
const net = (count: number) => NET_COUNTS_FROM + count

/** Per Kafka front. */
function connectionSources(
  { wiring, plan, settings }: ThreadData,
  counters: CounterReader,
): MetricSource[] {
  const fronts = wiring.threads.flatMap(({ name, role }, thread) =>
    role === 'kafka-front'
      ? [{ name, value: (kind: number) => counters.value(thread, THREAD_ROW, kind) }]
      : [],
  )
  const one = ([kind, name, help, pick]: Row): MetricSource => ({
    ...{ kind, name, help },
    read: () =>
      fronts.map((front) => ({ labels: { thread: front.name }, value: pick(front.value) })),
  })
  const several = ([kind, name, help, label, slots]: Rows): MetricSource => ({
    ...{ kind, name, help },
    read: () =>
      fronts.flatMap((front) =>
        Object.entries(slots).map(([key, at]) => ({
          labels: { thread: front.name, [label]: key },
          value: front.value(at),
        })),
      ),
  })
  return [
    ...socketRows().map(one),
    ...LABELLED.map(several),
    ...memoryRows(plan.inFlightBytes, plan.fileReadBytes).map(one),
    ...(settings.tlsCert === null ? [] : [one(EXPIRY), several(HANDSHAKES)]),
  ]
}

function socketRows(): Row[] {
  const { OPENED, CLOSED, BYTES_IN, BYTES_OUT, PAUSES } = ConnectionCount
  const sockets = 'kafka_server_socket_server_metrics'
  const open: Pick = (value) => value(net(OPENED)) - value(net(CLOSED))
  return [
    ['gauge', `${sockets}_connection_count`, 'Connections open', open],
    ['counter', `${sockets}_connection_creation_total`, 'Connections opened', slot(net(OPENED))],
    ['counter', `${sockets}_connection_close_total`, 'Connections closed', slot(net(CLOSED))],
    ['counter', `${sockets}_incoming_byte_total`, 'Bytes read', slot(net(BYTES_IN))],
    ['counter', `${sockets}_outgoing_byte_total`, 'Bytes of replies sent', slot(net(BYTES_OUT))],
    ['counter', 'griot_front_pauses_total', 'Reads stopped for memory', slot(net(PAUSES))],
  ]
}

const LABELLED: readonly Rows[] = [
  [
    'counter',
    'griot_front_connections_cut_total',
    'Connections that the front has closed: idle, or for the memory that their replies held',
    'reason',
    { idle: net(ConnectionCount.CLOSED_IDLE), memory: net(ConnectionCount.CLOSED_FOR_BUDGET) },
  ],
  [
    'counter',
    'griot_front_frames_rejected_total',
    'Frames that ended their connection',
    'reason',
    {
      size: net(ConnectionCount.FRAMES_BROKEN),
      malformed: FrontCounter.FRAMES_MALFORMED,
      unsupported: FrontCounter.FRAMES_UNSUPPORTED,
      refused: FrontCounter.FRAMES_REFUSED,
    },
  ],
  [
    'counter',
    'griot_front_held_total',
    'Produces, fetches and other requests about a partition that were held until somebody led it',
    'request',
    {
      Produce: FrontCounter.HELD_PRODUCES,
      Fetch: FrontCounter.HELD_FETCHES,
      other: FrontCounter.HELD_OTHERS,
    },
  ],
  [
    'gauge',
    'kafka_server_delayedoperationpurgatory_purgatorysize',
    'Requests that wait: fetches for records, produces for brokers',
    'delayedOperation',
    { Fetch: FrontCounter.FETCHES_PARKED_NOW, Produce: FrontCounter.PRODUCES_PENDING_NOW },
  ],
]

/** Where there are TLS listeners: a time of 0 would alarm everybody else. */
const EXPIRY: Row = [
  'gauge',
  'griot_tls_certificate_expiry_timestamp_seconds',
  'When the certificate of TLS listeners expires, in seconds since the epoch',
  slot(FrontCounter.TLS_EXPIRES_AT_S_NOW),
]

const HANDSHAKES: Rows = [
  'counter',
  'griot_tls_handshakes_total',
  'TLS handshakes: all that have begun, and those of them that came to nothing',
  'result',
  { begun: net(ConnectionCount.HANDSHAKES), failed: net(ConnectionCount.HANDSHAKES_FAILED) },
]

function memoryRows(inFlightBudgetBytes: number, fileBudgetBytes: number): Row[] {
  const F = FrontCounter
  const sessions = 'kafka_server_fetchsessioncache_numincrementalfetchsessions'
  const inFlight = 'Bytes of requests being read or worked on, and of replies not yet sent'
  const files = 'Bytes of buffers in use for file reads and large copies'
  return [
    ['gauge', 'griot_front_in_flight_bytes', inFlight, slot(F.IN_FLIGHT_BYTES_NOW)],
    ['gauge', 'griot_front_in_flight_budget_bytes', 'Their limit', () => inFlightBudgetBytes],
    [
      'gauge',
      'griot_front_connections_waiting',
      'Connections not read from until others are answered',
      slot(F.CONNECTIONS_WAITING_NOW),
    ],
    ['gauge', sessions, 'Fetch sessions', slot(F.FETCH_SESSIONS_NOW)],
    [
      'gauge',
      'griot_front_pinned_bytes',
      'Bytes of ring logs that sockets hold without a copy',
      slot(F.PINNED_BYTES_NOW),
    ],
    ['gauge', 'griot_front_file_buffer_bytes', files, slot(F.FILE_BUFFER_BYTES_NOW)],
    ['gauge', 'griot_front_file_buffer_budget_bytes', 'Their limit', () => fileBudgetBytes],
    [
      'gauge',
      'griot_front_commands_parked',
      'Commands that wait for room in the ring of a broker',
      slot(F.COMMANDS_PARKED_NOW),
    ],
  ]
}
