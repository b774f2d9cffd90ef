/** `/metrics` in Prometheus' text format; the library is loaded at the first scrape. HTTP front's thread. */
import { type HttpHandler, problemResponse } from '../net/http-interface.ts'
import type { HttpRouter } from '../net/http-router.ts'
import { ScrapeQueryError } from './topic-selection.ts'

type Labels = Readonly<Record<string, string>>

/** One number as it stands at the time of the scrape. */
export interface MetricSample {
  readonly labels: Labels
  readonly value: number
}

/** Buckets as they stand: `counts` has one more than there are bounds, each of its own bucket alone. */
export interface HistogramSample {
  readonly labels: Labels
  /** Upper bounds, rising. */
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
  readonly sum: number
}

/** Quantiles as they are now; `sum` and `count` since the start. */
export interface SummarySample {
  readonly labels: Labels
  readonly quantiles: readonly (readonly [quantile: number, value: number])[]
  readonly sum: number
  readonly count: number
}

interface Described {
  /** A counter's name ends in `_total`, except where Kafka's exporter has another. */
  readonly name: string
  readonly help: string
}

/** `read` reads shared memory; it is called once per scrape. */
export type MetricSource =
  | (Described & {
      readonly kind: 'counter' | 'gauge'
      read(): Iterable<MetricSample> | Promise<Iterable<MetricSample>>
    })
  | (Described & { readonly kind: 'histogram'; read(): Iterable<HistogramSample> })
  | (Described & { readonly kind: 'summary'; read(): Iterable<SummarySample> })

/** What a scrape gets besides, by its query. Throws {@link ScrapeQueryError}. */
export type SourcesOnRequest = (query: URLSearchParams) => Promise<readonly MetricSource[]>

interface Scraper {
  readonly contentType: string
  scrape(): Promise<string>
}

/** Scrapes with a query that are worked on at a time, and that may wait behind them. */
const ASKING_MAX = 4

/** So long one text serves everybody: a scrape costs milliseconds, and health is answered on the same thread. */
const SCRAPE_EVERY_MS = 100

/** `guard` decides who sees them. */
export function addMetricsRoute(
  router: HttpRouter,
  sources: readonly MetricSource[],
  guard: (handler: HttpHandler) => HttpHandler,
  onRequest: SourcesOnRequest = async () => [],
  monotonicMs: () => number = () => performance.now(),
): void {
  const plain = new PlainScrapes(sources, monotonicMs)
  let asking = 0
  let writing: Promise<unknown> = Promise.resolve()
  // one text at a time: each takes a good part of this thread's heap while it is made
  const inTurn = <T>(write: () => Promise<T>): Promise<T> => {
    const written = writing.then(write)
    writing = written.catch(() => {})
    return written
  }
  const metrics: HttpHandler = async ({ query }) => {
    if (query.size === 0) return plain.response()
    if (asking >= ASKING_MAX) {
      const detail = `${ASKING_MAX} scrapes with a query are being answered: ask again in a moment`
      return problemResponse(503, 'Service Unavailable', detail, { 'retry-after': '1' })
    }
    asking++
    try {
      const all = merge(sources, await onRequest(query))
      return await inTurn(async () => response(await createScraper(all)))
    } catch (error) {
      if (!(error instanceof ScrapeQueryError)) throw error
      return problemResponse(400, 'Bad Request', error.message)
    } finally {
      asking--
    }
  }
  router.add('GET', '/metrics', guard(metrics))
}

/** Scrapes without a query: all of a tenth of a second get the same text. */
class PlainScrapes {
  readonly #sources: readonly MetricSource[]
  readonly #monotonicMs: () => number
  #scraper: Promise<Scraper> | null = null
  #latest: ReturnType<typeof response> | null = null
  #scrapedAtMs = Number.NEGATIVE_INFINITY

  constructor(sources: readonly MetricSource[], monotonicMs: () => number) {
    this.#sources = sources
    this.#monotonicMs = monotonicMs
  }

  response(): ReturnType<typeof response> {
    const nowMs = this.#monotonicMs()
    if (this.#latest === null || nowMs - this.#scrapedAtMs >= SCRAPE_EVERY_MS) {
      this.#scraper ??= createScraper(this.#sources)
      this.#scrapedAtMs = nowMs
      this.#latest = this.#scraper.then(response)
    }
    return this.#latest
  }
}

const response = async ({ contentType, scrape }: Scraper) => ({
  status: 200,
  headers: { 'content-type': contentType },
  body: Buffer.from(await scrape()),
})

/** All series of one name stand together in the text. */
function merge(
  sources: readonly MetricSource[],
  more: readonly MetricSource[],
): readonly MetricSource[] {
  const byName = new Map<string, MetricSource>()
  for (const source of [...sources, ...more]) {
    const first = byName.get(source.name)
    if (first === undefined) byName.set(source.name, source)
    else if (isPlain(first) && isPlain(source)) {
      const read = async () => [...(await first.read()), ...(await source.read())]
      byName.set(source.name, { ...first, read })
    }
  }
  return [...byName.values()]
}

type PlainSource = Extract<MetricSource, { readonly kind: 'counter' | 'gauge' }>

const isPlain = (source: MetricSource): source is PlainSource =>
  source.kind === 'counter' || source.kind === 'gauge'

/** A line of the text. */
interface Line extends MetricSample {
  readonly metricName?: string
}

async function createScraper(sources: readonly MetricSource[]): Promise<Scraper> {
  // the library's default metrics are left out: they tell of one thread, and poll its event loop a hundred times a second
  const { Registry } = (await import('prom-client')).default
  const registry = new Registry()
  for (const source of sources) {
    const { name, help, kind: type } = source
    // The shared counters are the truth: the library's own are passed by, it writes what this gives it.
    const metric = { name, get: async () => ({ name, help, type, values: await linesOf(source) }) }
    registry.registerMetric(metric as unknown as Parameters<typeof registry.registerMetric>[0])
  }
  return { contentType: registry.contentType, scrape: () => registry.metrics() }
}

async function linesOf(source: MetricSource): Promise<Line[]> {
  if (source.kind === 'histogram') {
    return [...source.read()].flatMap((sample) => histogramLines(source.name, sample))
  }
  if (source.kind === 'summary') {
    return [...source.read()].flatMap((sample) => summaryLines(source.name, sample))
  }
  return [...(await source.read())]
}

function summaryLines(name: string, { labels, quantiles, sum, count }: SummarySample): Line[] {
  return [
    ...quantiles.map(([quantile, value]) => ({
      labels: { ...labels, quantile: String(quantile) },
      value,
    })),
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ]
}

function histogramLines(name: string, { labels, bounds, counts, sum }: HistogramSample): Line[] {
  const lines: Line[] = []
  let count = 0
  counts.forEach((inBucket, at) => {
    count += inBucket
    const le = at < bounds.length ? String(bounds[at]) : '+Inf'
    lines.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count })
  })
  lines.push({ metricName: `${name}_sum`, labels, value: sum })
  lines.push({ metricName: `${name}_count`, labels, value: count })
  return lines
}
