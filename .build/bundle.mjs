// Bundles what users run. dist/index.js is the embedded engine; dist/griot.cjs is the launcher behind `npx griot`, and
// dist/cli.cjs what it runs; dist/worker.cjs is where every worker enters, to load the one file of its role. What runs
// in the engine's own threads is CommonJS, one file per thread: ES modules would cost each thread 10 ms and more.
// Dependencies stay outside, but for the two that every start needs.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { build } from 'esbuild'

/** Loaded when they are first needed, from files of their own. */
const ROLES = ['broker-thread', 'flusher-thread', 'http-thread', 'kafka-front-thread']
/** The commands that speak Kafka: `griot start` has no use for them. */
const COMMANDS = 'client-commands'
const BUNDLED = ['commander', 'msgpackr/pack']

/** Roles are required from their own files; other packages are resolved where the bundle is installed. */
const boundaries = {
  name: 'boundaries',
  setup({ onResolve }) {
    onResolve({ filter: /.*/ }, ({ path: name, kind, importer }) => {
      if (kind === 'entry-point') return
      const role = path.basename(name, '.ts')
      if (kind === 'dynamic-import' && [...ROLES, COMMANDS].includes(role)) {
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

const results = await Promise.all([
  build({ ...common, entryPoints: { index: 'src/index.ts' }, format: 'esm' }),
  build({
    ...common,
    entryPoints: {
      griot: 'src/cli/launch.ts',
      cli: 'src/cli/main.ts',
      worker: 'src/server/worker.ts',
      'pool-worker': 'src/server/pool-worker.ts',
      [COMMANDS]: 'src/cli/client-commands.ts',
      ...Object.fromEntries(ROLES.map((role) => [role, `src/server/${role}.ts`])),
    },
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    define: { 'import.meta.url': 'moduleUrl' },
    banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href" },
  }),
])

// a role is required, not imported: the loader of ES modules is not even started
const toRequire = (text) =>
  text.replace(/\bimport\("(\.\/[\w-]+\.cjs)"\)/g, 'Promise.resolve(require("$1"))')

mkdirSync('dist', { recursive: true })
const written = new Set()
for (const file of results.flatMap(({ outputFiles }) => outputFiles)) {
  const name = path.basename(file.path)
  written.add(name)
  writeFileSync(file.path, name.endsWith('.cjs') ? toRequire(file.text) : file.text)
}
// files of an earlier build would otherwise stay in the package
for (const name of readdirSync('dist')) {
  if (/\.c?js$/.test(name) && !written.has(name)) rmSync(`dist/${name}`)
}
