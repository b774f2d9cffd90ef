/** `/metrics` in Prometheus' text format; the library is loaded at the first scrape. HTTP front's thread. */
import type { HttpRouter } from '../net/http-router.ts'

/** One number as it stands at the time of the scrape. */
export interface MetricSample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface MetricSource {
  /** A counter's name ends in `_total`. */
  readonly name: string
  readonly kind: 'counter' | 'gauge'
  readonly help: string
  readonly labelNames: readonly string[]
  /** Reads shared memory; called once per scrape. */
  read(): Iterable<MetricSample>
}

interface Scraper {
  readonly contentType: string
  scrape(): Promise<string>
}

export function addMetricsRoute(router: HttpRouter, sources: readonly MetricSource[]): void {
  let scraper: Promise<Scraper> | null = null
  router.add('GET', '/metrics', async () => {
    scraper ??= createScraper(sources)
    const { contentType, scrape } = await scraper
    return { status: 200, headers: { 'content-type': contentType }, body: await scrape() }
  })
}

async function createScraper(sources: readonly MetricSource[]): Promise<Scraper> {
  // the library's default metrics are left out: they tell of one thread, and poll its event loop a hundred times a second
  const { Counter, Gauge, Registry } = (await import('prom-client')).default
  const registry = new Registry()
  for (const source of sources) {
    const { name, help, labelNames } = source
    const settings = { name, help, labelNames: [...labelNames], registers: [registry] }
    if (source.kind === 'gauge') {
      const gauge = new Gauge({
        ...settings,
        collect() {
          gauge.reset()
          for (const { labels, value } of source.read()) gauge.set(labels, value)
        },
      })
    } else {
      const counter = new Counter({
        ...settings,
        collect() {
          // the shared counters are the truth: the library's own are rebuilt from them
          counter.reset()
          for (const { labels, value } of source.read()) counter.inc(labels, value)
        },
      })
    }
  }
  return { contentType: registry.contentType, scrape: () => registry.metrics() }
}
