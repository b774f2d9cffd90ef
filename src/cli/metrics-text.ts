/** The numbers of a scrape in Prometheus' text format; only what `griot top` looks at. */

export interface ScrapedNumber {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** By metric name. Lines that are none are passed over: the other side may be newer. */
export function parseMetrics(text: string): Map<string, ScrapedNumber[]> {
  const found = new Map<string, ScrapedNumber[]>()
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line)
    if (match === null) continue
    const labels: Record<string, string> = {}
    for (const [, name, value] of (match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[name!] = value!.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c))
    }
    const numbers = found.get(match[1]!) ?? []
    found.set(match[1]!, numbers)
    numbers.push({ labels, value: Number(match[3]) })
  }
  return found
}
