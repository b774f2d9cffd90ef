/** Real text as input: what any machine with this checkout has, in a fixed order. */

import { once } from 'node:events'
import { createWriteStream, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const isText = /\.(ts|js|mjs|cjs|json|md|h|hpp|txt)$/

function* files(directory: string): Generator<string> {
  const entries = readdirSync(directory, { withFileTypes: true })
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) yield* files(path)
    else if (entry.isFile() && isText.test(entry.name)) yield path
  }
}

/**
 * Writes `lines` non-empty lines of sources and headers to `path` (kcat's line mode drops empty ones), starting over
 * when the machine has fewer. No line is longer than 900,000 bytes.
 */
export async function writeCorpus(path: string, lines: number): Promise<void> {
  const roots = ['/usr/include', join(import.meta.dirname, '../../node_modules')].filter(existsSync)
  const out = createWriteStream(path)
  let written = 0
  while (written < lines) {
    for (const root of roots) {
      for (const file of files(root)) {
        const good = readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => line.length > 0 && line.length < 200_000)
          .slice(0, lines - written)
        if (good.length === 0) continue
        written += good.length
        if (!out.write(`${good.join('\n')}\n`)) await once(out, 'drain')
        if (written >= lines) break
      }
      if (written >= lines) break
    }
  }
  out.end()
  await once(out, 'close')
}
