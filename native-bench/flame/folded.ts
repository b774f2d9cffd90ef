/** What `perf script` prints, as one tree of stacks. */

export type FrameKind = 'thread' | 'kernel' | 'native' | 'js'

/** One function under its callers. */
export interface Frame {
  readonly name: string
  readonly kind: FrameKind
  /** Samples in it and in what it called. */
  samples: number
  readonly children: Map<string, Frame>
}

export const newFrame = (name: string, kind: FrameKind): Frame => ({
  ...{ name, kind, samples: 0 },
  children: new Map(),
})

interface Sample {
  readonly tid: number
  /** Callee first. */
  readonly frames: readonly { readonly name: string; readonly kind: FrameKind }[]
}

/** Of V8's names for compiled functions: how they were compiled, and where they are. */
const JS_NAME = /^(?:LazyCompile|Function|JS|Script|Eval|Builtin):\s?[*~^+]?(\S*)(?: (\S*))?/

/** `perf script -F tid,ip,sym,dso`: a line with the thread, then one of a frame each, then an empty one. */
export function parseSamples(text: string): Sample[] {
  const samples: Sample[] = []
  for (const block of text.split(/\n\s*\n/)) {
    const lines = block.split('\n').filter((line) => line.trim() !== '')
    const tid = Number(/^\s*(\d+)/.exec(lines[0] ?? '')?.[1])
    if (!Number.isInteger(tid) || lines.length < 2) continue
    samples.push({ tid, frames: lines.slice(1).map(frameOf) })
  }
  return samples
}

function frameOf(line: string): Sample['frames'][number] {
  const found = /^\s*[0-9a-f]+ (.*?)(?:\+0x[0-9a-f]+)? \((.*)\)\s*$/.exec(line)
  const [symbol, object] = [found?.[1] ?? line.trim(), found?.[2] ?? '']
  const js = JS_NAME.exec(symbol)
  if (js !== null) {
    const place = js[2]?.split(/[\\/]/).at(-1)
    return { name: [js[1] || '(anonymous)', place].filter(Boolean).join(' '), kind: 'js' }
  }
  const isKernel = object.startsWith('[kernel') || object.startsWith('[guest.kernel')
  if (isKernel) return { name: symbol, kind: 'kernel' }
  // without a map there is only the address, which says nothing
  const place = object.split('/').at(-1) || 'unknown'
  const name = symbol !== '[unknown]' ? symbol : `[${place.replace(/^\[|\]$/g, '')}]`
  return { name: name.replace(/\(.*/s, ''), kind: 'native' }
}

/** By what a thread does in any of its samples: perf knows only numbers. */
const ROLES: readonly (readonly [RegExp, string])[] = [
  [/^(FlusherAgent|Flusher)\b|fdatasync/, 'flusher'],
  [/^runDutyCycle\b/, 'brokers'],
]

/** All samples as one tree; threads that do the same are one. */
export function foldSamples(samples: readonly Sample[], mainThread: number): Frame {
  const roles = new Map<number, string>([[mainThread, 'Kafka front']])
  for (const { tid, frames } of samples) {
    if (roles.has(tid)) continue
    const role = ROLES.find(([sign]) => frames.some(({ name }) => sign.test(name)))
    if (role !== undefined) roles.set(tid, role[1])
  }
  const root = newFrame('all threads', 'thread')
  for (const { tid, frames } of samples) {
    root.samples++
    let at = child(root, roles.get(tid) ?? 'other threads', 'thread')
    for (const { name, kind } of frames.toReversed()) at = child(at, name, kind)
  }
  return root
}

function child(of: Frame, name: string, kind: FrameKind): Frame {
  let frame = of.children.get(name)
  if (frame === undefined) {
    frame = newFrame(name, kind)
    of.children.set(name, frame)
  }
  frame.samples++
  return frame
}
