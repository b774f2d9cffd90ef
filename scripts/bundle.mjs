// Bundles what users run: dist/index.js (embedded engine), dist/cli.js and dist/worker.js share chunks, so that each
// thread reads few files; dist/griot.cjs is the launcher behind `npx griot`. Dependencies stay outside.
import { readdirSync, rmSync } from 'node:fs'
import { build } from 'esbuild'

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  packages: 'external',
  outdir: 'dist',
  logLevel: 'warning',
  metafile: true,
}

const results = await Promise.all([
  build({
    ...common,
    entryPoints: {
      index: 'src/index.ts',
      cli: 'src/cli/main.ts',
      worker: 'src/server/worker.ts',
      'pool-worker': 'src/server/pool-worker.ts',
    },
    format: 'esm',
    splitting: true,
  }),
  build({
    ...common,
    entryPoints: { griot: 'src/cli/launch.ts' },
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
  }),
])

// chunks of an earlier build would otherwise stay in the package
const written = results.flatMap(({ metafile }) => Object.keys(metafile.outputs))
for (const name of readdirSync('dist')) {
  if (/\.c?js$/.test(name) && !written.includes(`dist/${name}`)) rmSync(`dist/${name}`)
}
