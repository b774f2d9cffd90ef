/** `/metrics` in Prometheus' text format; the library is loaded at the first scrape. HTTP front's thread. */
import type { HttpRouter } from '../net/http-router.ts'

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

interface Described {
  /** A counter's name ends in `_total`, except where Kafka's exporter has another. */
  readonly name: string
  readonly help: string
}

/** `read` reads shared memory; it is called once per scrape. */
export type MetricSource =
  | (Described & { readonly kind: 'counter' | 'gauge'; read(): Iterable<MetricSample> })
  | (Described & { readonly kind: 'histogram'; read(): Iterable<HistogramSample> })

interface Scraper {
  readonly contentType: string
  scrape(): Promise<string>
}

/** So long one text serves everybody: a scrape costs milliseconds, and health is answered on the same thread. */
const SCRAPE_EVERY_MS = 100

export function addMetricsRoute(
  router: HttpRouter,
  sources: readonly MetricSource[],
  monotonicMs: () => number = () => performance.now(),
): void {
  let scraper: Promise<Scraper> | null = null
  let text: Promise<Buffer> | null = null
  let scrapedAtMs = Number.NEGATIVE_INFINITY
  router.add('GET', '/metrics', async () => {
    scraper ??= createScraper(sources)
    const { contentType, scrape } = await scraper
    const nowMs = monotonicMs()
    if (text === null || nowMs - scrapedAtMs >= SCRAPE_EVERY_MS) {
      scrapedAtMs = nowMs
      text = scrape().then((body) => Buffer.from(body))
    }
    return { status: 200, headers: { 'content-type': contentType }, body: await text }
  })
}

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
    const metric = { name, get: async () => ({ name, help, type, values: linesOf(source) }) }
    registry.registerMetric(metric as unknown as Parameters<typeof registry.registerMetric>[0])
  }
  return { contentType: registry.contentType, scrape: () => registry.metrics() }
}

function linesOf(source: MetricSource): Line[] {
  if (source.kind !== 'histogram') return [...source.read()]
  return [...source.read()].flatMap((sample) => histogramLines(source.name, sample))
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
