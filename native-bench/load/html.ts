/** A result as one HTML file that needs nothing else: tables and plots in SVG. */
import { format } from '../common/statistics.ts'
import { PLOT_PERCENTILES } from './result.ts'
import type { SavedResult } from './saved.ts'
import { plot, type Series } from './svg.ts'
import { resultText } from './text.ts'

export const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:62em;margin:2em auto;padding:0 1em;color:#222}
pre{background:#f5f5f5;padding:1em;overflow:auto}figure{margin:2em 0}svg{width:100%;height:auto}
figcaption{font-weight:600}`

/** Well-formed as XML too. */
export function resultHtml(saved: SavedResult): string {
  const { result } = saved
  const { name, description } = result.workload
  const measured = result.groups.filter(
    ({ latencyUs }) => latencyUs !== null && latencyUs.count > 0,
  )
  const latencies: Series[] = measured.map((group) => ({
    name: group.name,
    points: group.percentilesUs.map((us, at) => ({ x: at, y: us / 1000 })),
  }))
  const rates: Series[] = result.groups.map((group) => ({
    name: group.name,
    points: group.perSecond.map(({ bytes }, second) => ({ x: second + 0.5, y: bytes / 1e6 })),
  }))
  const seconds = Math.max(1, ...rates.map(({ points }) => points.length))
  const latencyPlot = plot({
    ...{ series: latencies, isLog: true, unit: 'ms', xMax: PLOT_PERCENTILES.length - 1 },
    xTicks: PLOT_PERCENTILES.map((percentile, at) => ({ at, text: `${percentile}` })),
  })
  const ratePlot = plot({
    ...{ series: rates, isLog: false, unit: 'MB/s', xMax: seconds },
    xTicks: ticks(seconds).map((at) => ({ at, text: `${at} s` })),
  })
  const facts = [
    ['Date', saved.circumstances.date],
    ['Commit', saved.circumstances.commit ?? 'unknown'],
    ['Machine', `${saved.circumstances.cpus} × ${saved.circumstances.cpuModel}`],
    ['Memory', `${format(saved.circumstances.memoryBytes / 1e9)} GB`],
    ['System', `${saved.circumstances.kernel}, Node ${saved.circumstances.node}`],
    ['Command', saved.commandLine],
    ['Measured', `${result.seconds} s after a warm-up of ${result.warmupSeconds} s`],
  ]
  return `<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head><meta charset="utf-8"/>
<title>${escaped(name)}</title><style>${STYLE}</style></head><body>
<h1>${escaped(name)}</h1><p>${escaped(description)}</p>
<pre>${escaped(resultText(result))}</pre>
<figure><figcaption>Latency by percentile</figcaption>${latencyPlot}</figure>
<figure><figcaption>Throughput over time</figcaption>${ratePlot}</figure>
<table>${facts.map(([key, value]) => `<tr><th scope="row" align="left">${escaped(key!)}</th><td>${escaped(value!)}</td></tr>`).join('')}</table>
<h2>Workload</h2><pre>${escaped(JSON.stringify(result.workload, null, 2))}</pre>
</body></html>
`
}

function ticks(seconds: number): number[] {
  const step = Math.max(1, Math.ceil(seconds / 10))
  return Array.from({ length: Math.floor(seconds / step) + 1 }, (_, at) => at * step)
}
