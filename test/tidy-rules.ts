/** What the tidy test checks, as functions of texts, so that each rule can be seen to fail on a planted example. */
import { parseSync, Visitor } from 'rolldown/utils'

export const FILE_LINES_MAX = 500
export const FUNCTION_LINES_MAX = 70

/**
 * Which folders of src a folder may import from, besides itself. Layers above may be named by nobody below.
 * `net/http-*` and `record/*` of tests are no exceptions: the table knows folders only.
 */
export const IMPORTS: Readonly<Record<string, readonly string[]>> = (() => {
  const log = ['base', 'shared', 'record', 'store']
  const belowBroker = [
    ...['base', 'shared', 'record', 'protocol', 'raft', 'image', 'machine', 'link', 'store', 'log'],
    ...['quota', 'controller', 'coordinator', 'balancer'],
  ]
  return {
    base: [],
    shared: ['base'],
    record: ['base'],
    protocol: ['base', 'record'],
    raft: ['base'],
    image: ['base'],
    machine: ['base', 'record'],
    link: ['base', 'raft', 'image'],
    store: ['base'],
    // the types of what a replica's file of control entries holds; nothing of raft runs in it
    log: [...log, 'raft'],
    quota: ['base', 'shared'],
    controller: ['base', 'record', 'protocol', 'machine', 'image'],
    coordinator: ['base', 'record', 'protocol', 'machine'],
    balancer: ['base', 'image'],
    offload: [...log, 'log', 'link', 'image', 'machine', 'protocol'],
    broker: belowBroker,
    net: ['base', 'protocol'],
    tenant: ['base', 'protocol', 'quota', 'image'],
    cell: ['base', 'shared', 'link', 'protocol', 'image'],
    front: [
      ...[
        'base',
        'record',
        'shared',
        'protocol',
        'net',
        'tenant',
        'quota',
        'image',
        'link',
        'cell',
      ],
    ],
    web: ['base', 'record', 'protocol', 'net', 'tenant', 'cell'],
    client: [],
    admin: ['base', 'net', 'cell', 'quota', 'image'],
    'kafka-client': ['base', 'record', 'protocol'],
    // subcommands talk to a running engine over HTTP, or to any Kafka over its protocol; only `start` runs an engine
    cli: ['base', 'record', 'kafka-client', 'server'],
    server: ['*'],
  }
})()

/** Folders whose agents must repeat themselves: clock, random and waiting come as arguments. */
const DETERMINISTIC = [
  ...['base', 'shared', 'record', 'protocol', 'raft', 'image', 'machine', 'link', 'log', 'quota'],
  ...['controller', 'coordinator', 'balancer', 'broker'],
]

/** Files that are named for I/O or for the real clock, with what they may use. */
export const IO_FILES: Readonly<Record<string, readonly string[]>> = {
  'base/clock.ts': ['Date'],
  // codecs load at their first use, and run on the pool and in tests, never on a broker's thread
  'record/compression.ts': ['await'],
  'record/zstd.ts': ['await'],
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
}

export interface SourceFile {
  /** Relative to the folder that is checked, with `/`. */
  readonly path: string
  readonly text: string
}

function parse(file: SourceFile) {
  const result = parseSync(file.path, file.text, { lang: 'ts', sourceType: 'module' })
  if (result.errors.length > 0) throw new Error(`${file.path}: ${result.errors[0]!.message}`)
  return result.program
}

const lineAt = (text: string, at: number): number => text.slice(0, at).split('\n').length

/** Files and functions that are too long. A class is as long as it likes: its file is bounded. */
export function tooLong(file: SourceFile): string[] {
  const found: string[] = []
  const lines = file.text.trimEnd().split('\n').length
  if (lines > FILE_LINES_MAX) found.push(`${file.path}: ${lines} lines`)
  const check = (node: Node) => {
    const first = lineAt(file.text, node.start)
    const length = lineAt(file.text, node.end) - first + 1
    if (length > FUNCTION_LINES_MAX)
      found.push(`${file.path}:${first}: a function of ${length} lines`)
  }
  new Visitor({
    FunctionDeclaration: check,
    FunctionExpression: check,
    ArrowFunctionExpression: check,
  }).visit(parse(file))
  return found
}

/** The same for tests, where `describe` and `suite` hold tests rather than do something. */
export function tooLongTest(file: SourceFile): string[] {
  const containers = containersOf(file)
  return tooLong(file).filter((found) => !containers.has(found.split(': a function')[0]!))
}

function containersOf(file: SourceFile): Set<string> {
  const places = new Set<string>()
  new Visitor({
    CallExpression(node) {
      let callee = node.callee as {
        type: string
        name?: string
        object?: unknown
        callee?: unknown
      }
      while (callee.type !== 'Identifier') {
        const inner = callee.object ?? callee.callee
        if (inner === undefined) return
        callee = inner as typeof callee
      }
      if (callee.name !== 'describe' && callee.name !== 'suite') return
      for (const argument of node.arguments) {
        places.add(`${file.path}:${lineAt(file.text, argument.start)}`)
      }
    },
  }).visit(parse(file))
  return places
}

/** Every module that the file names: imports, re-exports and dynamic imports of a literal. */
export function importsOf(file: SourceFile): string[] {
  const found: string[] = []
  const add = (source: unknown) => {
    const value = (source as { value?: unknown } | null)?.value
    if (typeof value === 'string') found.push(value)
  }
  new Visitor({
    ImportDeclaration: (node) => add(node.source),
    ExportNamedDeclaration: (node) => add(node.source),
    ExportAllDeclaration: (node) => add(node.source),
    ImportExpression: (node) => add(node.source),
    TSImportType: (node) => add((node as unknown as { source: unknown }).source),
  }).visit(parse(file))
  return found
}

/** Imports of a file `folder/name.ts` of src that {@link IMPORTS} does not allow. */
export function forbiddenImports(file: SourceFile): string[] {
  const folder = file.path.split('/')[0]!
  const allowed = IMPORTS[folder]
  if (allowed === undefined) return [`${file.path}: folder ${folder} is not in the import table`]
  if (allowed.includes('*')) return []
  return importsOf(file)
    .filter((name) => name.startsWith('.'))
    .map((name) => new URL(name, `file:///${file.path}`).pathname.slice(1))
    .filter((target) => ![folder, ...allowed].includes(target.split('/')[0]!))
    .map((target) => `${file.path} imports ${target}`)
}

const TIMERS = ['setTimeout', 'setInterval', 'setImmediate']

/** await, timers, Math.random and Date where the folder must be deterministic. */
export function forbiddenWords(file: SourceFile): string[] {
  const folder = file.path.split('/')[0]!
  if (!DETERMINISTIC.includes(folder)) return []
  const found = new Set<string>()
  new Visitor({
    AwaitExpression: () => void found.add('await'),
    ForOfStatement: (node) => void (node.await && found.add('await')),
    CallExpression: (node) => {
      const callee = node.callee as { type: string; name?: string }
      if (callee.type === 'Identifier' && TIMERS.includes(callee.name!)) found.add(callee.name!)
    },
    NewExpression: (node) => {
      const callee = node.callee as { type: string; name?: string }
      if (callee.type === 'Identifier' && callee.name === 'Date') found.add('Date')
    },
    MemberExpression: (node) => {
      const object = (node.object as { name?: string }).name
      const property = (node.property as { name?: string }).name
      if (object === 'Math' && property === 'random') found.add('Math.random')
      if (object === 'Date') found.add('Date')
    },
  }).visit(parse(file))
  const excused = IO_FILES[file.path] ?? []
  return [...found].filter((word) => !excused.includes(word)).map((word) => `${file.path}: ${word}`)
}

export function defaultExports(file: SourceFile): string[] {
  let found = false
  new Visitor({
    ExportDefaultDeclaration: () => void (found = true),
    ExportSpecifier: (node) => {
      if ((node.exported as { name?: string }).name === 'default') found = true
    },
  }).visit(parse(file))
  return found ? [`${file.path}: default export`] : []
}

const TESTERS = ['it', 'test', 'describe', 'suite']
/** `skipIf` and `runIf` are fine: what needs more than npm is skipped where it is missing, with a line that says so. */
const LEFT_BEHIND = ['only', 'skip', 'todo', 'fails']

/** Tests that were singled out or switched off. */
export function switchedOff(file: SourceFile): string[] {
  const found: string[] = []
  new Visitor({
    MemberExpression: (node) => {
      const object = (node.object as { name?: string }).name ?? ''
      const property = (node.property as { name?: string }).name ?? ''
      if (!TESTERS.includes(object) || !LEFT_BEHIND.includes(property)) return
      found.push(`${file.path}:${lineAt(file.text, node.start)}: ${object}.${property}`)
    },
  }).visit(parse(file))
  return found
}

/** Files that a folder's README does not list, and files it lists that are not there. `files` are names within the folder. */
export function fileMapFaults(
  folder: string,
  readme: string | null,
  files: readonly string[],
): string[] {
  if (readme === null) return [`${folder}: no README.md`]
  const listed = new Set<string>()
  for (const line of readme.split('\n')) {
    // a row's first cell, or the names that a list item begins with
    const cell = line.startsWith('|')
      ? (line.split('|')[1] ?? '')
      : (/^- ((?:`[\w./-]+`(?:, )?)+)/.exec(line)?.[1] ?? '')
    for (const match of cell.matchAll(/`([\w./-]+\.(?:ts|mjs|c|json))`/g)) listed.add(match[1]!)
  }
  return [
    ...files
      .filter((name) => !listed.has(name))
      .map((name) => `${folder}/README.md misses ${name}`),
    ...[...listed]
      .filter((name) => !files.includes(name))
      .map((name) => `${folder}/README.md lists ${name}, which is not there`),
  ]
}
