/** A tree of stacks as a flame graph (Brendan Gregg's kind): width is time, what is called lies on its caller. */
import { escaped } from '../load/html.ts'
import type { Frame, FrameKind } from './folded.ts'

const WIDTH = 1200
const ROW = 16
/** Narrower ones are left out: nobody can see them. */
const LEAST_SHARE = 0.003
const CHARACTER = 6.3

const COLOURS: Record<FrameKind, string> = {
  thread: '#dddddd',
  kernel: '#f4a261',
  native: '#9ec5e8',
  js: '#9fd8a4',
}

interface Box {
  readonly frame: Frame
  readonly depth: number
  readonly x: number
  readonly width: number
}

/** Widest first within a caller; the sum of what lies on a box is at most its width. */
export function boxesOf(root: Frame): Box[] {
  const boxes: Box[] = []
  const place = (frame: Frame, depth: number, x: number): void => {
    const width = frame.samples / root.samples
    if (width < LEAST_SHARE) return
    boxes.push({ frame, depth, x, width })
    let at = x
    const children = [...frame.children.values()].sort((a, b) => b.samples - a.samples)
    for (const next of children) {
      place(next, depth + 1, at)
      at += next.samples / root.samples
    }
  }
  if (root.samples > 0) place(root, 0, 0)
  return boxes
}

/** One file that needs nothing else; names in full as tooltips. */
export function flameSvg(root: Frame, title: string): string {
  const boxes = boxesOf(root)
  const rows = 1 + boxes.reduce((most, { depth }) => Math.max(most, depth), 0)
  const height = (rows + 3) * ROW
  const parts = boxes.map(({ frame, depth, x, width }) => {
    const [left, wide] = [x * WIDTH, width * WIDTH]
    const top = height - (depth + 1) * ROW
    const share = `${((100 * frame.samples) / root.samples).toFixed(1)} %`
    const characters = Math.floor((wide - 4) / CHARACTER)
    const { name } = frame
    const cut = name.length <= characters ? name : `${name.slice(0, characters - 1)}…`
    const text =
      characters < 3
        ? ''
        : `<text x="${(left + 2).toFixed(1)}" y="${top + 12}">${escaped(cut)}</text>`
    return `<g><title>${escaped(name)}, ${share}</title><rect x="${left.toFixed(1)}" y="${top}" width="${Math.max(wide - 0.4, 0.3).toFixed(1)}" height="${ROW - 1}" fill="${COLOURS[frame.kind]}"/>${text}</g>`
  })
  const legend = (Object.keys(COLOURS) as FrameKind[]).map(
    (kind, at) =>
      `<rect x="${2 + at * 80}" y="${ROW + 4}" width="10" height="10" fill="${COLOURS[kind]}"/><text x="${16 + at * 80}" y="${ROW + 13}">${kind}</text>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-size="10.5" font-family="ui-monospace,monospace" role="img">
<text x="2" y="12">${escaped(title)}</text>
${[...legend, ...parts].join('\n')}
</svg>
`
}
