/** Prometheus' text format, read strictly: whatever does not belong there throws. */

export interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** All series of a text; every one under the TYPE of its family, families in one piece, no series twice. */
export function parseMetrics(text: string): Series[] {
  const found: Series[] = []
  const seen = new Set<string>()
  const families = new Set<string>()
  let family = ''
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue
    const type = /^# TYPE ([a-z_]\w*) (?:counter|gauge|histogram|summary)$/.exec(line)
    if (type !== null) {
      family = type[1]!
      if (families.has(family)) throw new Error(`${family} comes twice`)
      families.add(family)
      continue
    }
    const series = parseSeries(line)
    if (series.name.replace(/_(?:bucket|sum|count)$/, '') !== family && series.name !== family) {
      throw new Error(`${series.name} is under ${family}`)
    }
    const key = JSON.stringify([series.name, Object.entries(series.labels).sort()])
    if (seen.has(key)) throw new Error(`${key} comes twice`)
    seen.add(key)
    found.push(series)
  }
  return found
}

const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(,|\} )/y

function parseSeries(line: string): Series {
  const name = /^[a-z_]\w*/.exec(line)?.[0]
  if (name === undefined) throw new Error(`not a series: ${line}`)
  const labels: Record<string, string> = {}
  let at = name.length
  if (line[at] === '{') {
    LABEL.lastIndex = at + 1
    for (let end = ','; end === ','; ) {
      const label = LABEL.exec(line)
      if (label === null) throw new Error(`not a label in: ${line}`)
      labels[label[1]!] = label[2]!.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c))
      end = label[3]!
      at = LABEL.lastIndex
    }
  } else at++
  const text = line.slice(at)
  if (!/^(?:-?[0-9][0-9.e+-]*|[+-]Inf|Nan|NaN)$/.test(text)) throw new Error(`no number: ${line}`)
  return { name, labels, value: Number(text.replace('Inf', 'Infinity')) }
}
