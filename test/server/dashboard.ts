/** The Grafana dashboard that is shipped: its queries, and what they name. */
import { readFileSync } from 'node:fs'

export interface Query {
  readonly panel: string
  readonly expr: string
}

interface Panel {
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

interface Variable {
  readonly name: string
  readonly definition?: string
}

const file = new URL('../../src/admin/grafana-dashboard.json', import.meta.url)
export const dashboard = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly Variable[] }
}

export const queries: readonly Query[] = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({ panel: title, expr })),
)

/** The queries of variables, as series that they look at and the label that they take. */
export const variables = dashboard.templating.list.flatMap(({ name, definition }) => {
  const parts = /^label_values\((.*), (\w+)\)$/.exec(definition ?? '')
  return parts === null ? [] : [{ name, expr: parts[1]!, label: parts[2]! }]
})

/** As Grafana fills them in. */
export const fillIn = (expr: string, rateInterval: string): string =>
  expr
    .replaceAll('$__rate_interval', rateInterval)
    .replaceAll(/\$(?:job|instance|topic|group)/g, '.*')

export interface Selector {
  readonly name: string
  readonly labels: readonly string[]
}

/** Each metric that `expr` reads, with the labels that it matches on. Metrics here have an underscore, functions a parenthesis. */
export function selectorsOf(expr: string): Selector[] {
  const found: Selector[] = []
  const unquoted = expr.replaceAll(/"[^"]*"/g, '""')
  for (const match of unquoted.matchAll(/\b([a-z]\w*_\w+)\b(?!\s*\()(?:\{([^}]*)\})?/g)) {
    const labels = [...(match[2] ?? '').matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)]
    if (match[0].startsWith('__')) continue
    found.push({ name: match[1]!, labels: labels.map(([, label]) => label!) })
  }
  return found
}

/** Labels that `expr` groups by. */
export const groupedBy = (expr: string): string[] =>
  [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(/,\s*/))
