/** Line plots as SVG. */
import { format } from '../common/statistics.ts'
import { escaped } from './html.ts'

export interface Series {
  readonly name: string
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

export interface Plot {
  readonly series: readonly Series[]
  /** Of the y axis; by powers of ten. */
  readonly isLog: boolean
  readonly unit: string
  readonly xMax: number
  readonly xTicks: readonly { readonly at: number; readonly text: string }[]
}

const WIDTH = 860
const HEIGHT = 340
const LEFT = 70
const RIGHT = 150
const TOP = 15
const BOTTOM = 40
const COLOURS = ['#1769aa', '#c43e00', '#2e7d32', '#7b1fa2', '#795548', '#00838f']

interface Scale {
  readonly ticks: readonly number[]
  y(value: number): number
}

const place = (share: number): number => HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

function logScale(values: readonly number[]): Scale {
  const positive = values.filter((value) => value > 0)
  const low = Math.floor(Math.log10(Math.min(...positive, 1)))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive, 0.001))))
  return {
    ticks: Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at)),
    y: (value) => place(Math.max(0, (Math.log10(value || 10 ** low) - low) / (high - low))),
  }
}

function linearScale(values: readonly number[]): Scale {
  const most = Math.max(...values, 1e-6)
  const rough = most / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((s) => s >= rough)!
  const top = Math.ceil(most / step) * step
  return {
    ticks: Array.from({ length: Math.round(top / step) + 1 }, (_, at) => at * step),
    y: (value) => place(value / top),
  }
}

/** Text is escaped; without a point there is a word in its place. */
export function plot({ series, isLog, unit, xMax, xTicks }: Plot): string {
  const values = series.flatMap(({ points }) => points.map(({ y }) => y))
  if (values.length === 0) return '<p>Nothing was measured.</p>'
  const scale = isLog ? logScale(values) : linearScale(values)
  const xOf = (x: number) => LEFT + (x / xMax) * (WIDTH - LEFT - RIGHT)
  const parts: string[] = []
  for (const tick of scale.ticks) {
    const y = scale.y(tick).toFixed(1)
    parts.push(
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" stroke="#ddd"/>`,
      `<text x="${LEFT - 6}" y="${y}" text-anchor="end" dominant-baseline="middle">${format(tick)} ${unit}</text>`,
    )
  }
  for (const { at, text } of xTicks) {
    const x = xOf(at).toFixed(1)
    parts.push(
      `<text x="${x}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${escaped(text)}</text>`,
    )
  }
  series.forEach(({ name, points }, at) => {
    const colour = COLOURS[at % COLOURS.length]
    const line = points.map(({ x, y }) => `${xOf(x).toFixed(1)},${scale.y(y).toFixed(1)}`)
    const y = TOP + 10 + at * 18
    parts.push(
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${line.join(' ')}"/>`,
      `<text x="${WIDTH - RIGHT + 10}" y="${y}" fill="${colour}">${escaped(name)}</text>`,
    )
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-size="11" font-family="system-ui,sans-serif" role="img">${parts.join('')}</svg>`
}
