// Bundles what users run. dist/index.cjs is the embedded engine, and dist/index.js the same for `import`; dist/griot.cjs is
// the launcher behind `npx griot`, and dist/cli.cjs what it runs; dist/worker.cjs is where every worker enters, to load the
// one file of its role; dist/griot-bench.cjs is the load harness, and dist/load-process.cjs what makes its load. What runs
// in the engine's own threads is CommonJS, one file per thread: ES modules would cost each thread 10 ms and more.
// Dependencies stay outside, but for the two that every start needs, and the one that only the bench has.
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'

/** Loaded when they are first needed, from files of their own. */
const ROLES = [
  ...['broker-thread', 'flusher-thread', 'http-thread', 'kafka-front-thread'],
  ...['group-stats-client', 'broker-config-check'],
]
/** The commands that speak Kafka, and those of an operator: `griot start` has no use for them. */
const COMMANDS = ['client-commands', 'operator-commands']
const BUNDLED = ['commander', 'msgpackr/pack', 'hdr-histogram-js']

/** Roles are required from their own files; other packages are resolved where the bundle is installed. */
const boundaries = {
  name: 'boundaries',
  setup({ onResolve }) {
    onResolve({ filter: /.*/ }, ({ path: name, kind, importer }) => {
      if (kind === 'entry-point') return
      const role = path.basename(name, '.ts')
      if (kind === 'dynamic-import' && [...ROLES, ...COMMANDS].includes(role)) {
        return { path: `./${role}.cjs`, external: true }
      }
      const isOurs = name.startsWith('.') || importer.includes('node_modules')
      if (!isOurs && !BUNDLED.includes(name)) return { path: name, external: true }
    })
  },
}

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  outdir: 'dist',
  logLevel: 'warning',
  // names stay, and lines, for stack traces
  minifyWhitespace: true,
  minifySyntax: true,
  lineLimit: 120,
  write: false,
  plugins: [boundaries],
}

const commonJs = {
  ...common,
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  // Jest's sandbox for CommonJS knows none, nor does compiled code that was kept; and so the loader of ES modules is not
  // even started
  supported: { 'dynamic-import': false },
  define: { 'import.meta.url': 'moduleUrl', 'import.meta.dirname': '__dirname' },
  banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href" },
}

/** One engine behind both ways in: whoever requires it and whoever imports it get the same class. */
const ENTRIES = {
  'index.js': "import cjs from './index.cjs'\nexport const { Griot } = cjs\n",
  'index.d.cts': `\
import type * as esm from './lib/index.js' with { 'resolution-mode': 'import' }
export type GriotChaos = esm.GriotChaos
export type GriotOptions = esm.GriotOptions
export type Griot = esm.Griot
export declare const Griot: typeof esm.Griot
`,
}

const results = await Promise.all([
  build({ ...commonJs, entryPoints: { index: 'src/index.ts' } }),
  build({
    ...commonJs,
    entryPoints: {
      griot: 'src/cli/launch.ts',
      cli: 'src/cli/main.ts',
      worker: 'src/server/worker.ts',
      'pool-worker': 'src/server/pool-worker.ts',
      ...Object.fromEntries(COMMANDS.map((name) => [name, `src/cli/${name}.ts`])),
      ...Object.fromEntries(ROLES.map((role) => [role, `src/server/${role}.ts`])),
    },
  }),
  // files of their own: an engine has no use for them
  build({
    ...commonJs,
    entryPoints: {
      'griot-bench': 'native-bench/load/main.ts',
      'load-process': 'native-bench/load/load-process.ts',
    },
  }),
])

// by its last line, compiled code that was kept is told to be of this text (src/server/code-cache.ts)
const withBuild = (text) => `${text}\n//# build=${createHash('sha256').update(text).digest('hex')}`

// what is as it was keeps its time too, and with it the compiled code
const writeChanged = (file, text) => {
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text)
}

mkdirSync('dist', { recursive: true })
const written = new Set()
for (const file of results.flatMap(({ outputFiles }) => outputFiles)) {
  const name = path.basename(file.path)
  written.add(name)
  writeChanged(file.path, name.endsWith('.cjs') ? withBuild(file.text) : file.text)
}
for (const [name, text] of Object.entries(ENTRIES)) {
  written.add(name)
  writeFileSync(`dist/${name}`, text)
}
// printed by `griot example grafana`
copyFileSync('src/admin/grafana-dashboard.json', 'dist/grafana-dashboard.json')
// files of an earlier build would otherwise stay in the package
for (const name of readdirSync('dist')) {
  if (/\.c?js$/.test(name) && !written.has(name)) rmSync(`dist/${name}`)
}
