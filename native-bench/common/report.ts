/** The JSON that every subcommand can print, and that `compare` reads: figures with each round's value. */
import { readFileSync } from 'node:fs'
import { type Circumstances, circumstances } from './machine.ts'

export interface Figure {
  /** Says what was measured, and is the same from commit to commit. */
  readonly name: string
  readonly unit: string
  readonly better: 'higher' | 'lower'
  /** One value a round. */
  readonly values: readonly number[]
  readonly args?: Readonly<Record<string, string | number>>
}

export interface Report {
  readonly command: string
  readonly circumstances: Circumstances
  readonly figures: readonly Figure[]
  /** What the figures were made from, where they are no measurements themselves; for people. */
  readonly raw?: unknown
}

/** The text of a {@link Report}, made here and now. */
export function figuresText(command: string, figures: readonly Figure[], raw?: unknown): string {
  const report: Report = { command, circumstances: circumstances(), figures, raw }
  return JSON.stringify(report, null, 1)
}

/** Throws, naming the file, for what is no report. */
export function readReport(path: string): Report {
  const text = readFileSync(path, 'utf8')
  let report: Partial<Report>
  try {
    report = JSON.parse(text)
  } catch (error) {
    throw new Error(`${path} is no JSON: ${(error as Error).message}`)
  }
  if (!Array.isArray(report.figures) || !report.figures.every(isFigure)) {
    throw new Error(`${path} has no figures with a name, a unit and values`)
  }
  return report as Report
}

function isFigure(found: Partial<Figure> | null): boolean {
  return (
    typeof found?.name === 'string' &&
    typeof found.unit === 'string' &&
    (found.better === 'higher' || found.better === 'lower') &&
    Array.isArray(found.values) &&
    found.values.length > 0 &&
    found.values.every((value) => typeof value === 'number')
  )
}
