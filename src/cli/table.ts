/** Tables for terminals and for `awk`: columns padded with spaces, no lines drawn. */

export type Cell = string | number | null

/** Columns as wide as their widest cell; numbers stand to the right. Cells never hold control characters. */
export function renderTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map(cellText))
  const isNumeric = head.map(
    (_, column) =>
      rows.length > 0 &&
      rows.every((row) => row[column] === null || typeof row[column] === 'number'),
  )
  const widths = head.map((title, column) =>
    texts.reduce((width, row) => Math.max(width, widthOf(row[column] ?? '')), widthOf(title)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => {
        const padding = ' '.repeat(widths[column]! - widthOf(cell))
        return isNumeric[column] ? padding + cell : cell + padding
      })
      .join('  ')
      .trimEnd()
  return [line(head), ...texts.map(line)].map((text) => `${text}\n`).join('')
}

/** Names and their values, the values in one column. */
export function renderList(pairs: readonly (readonly [string, Cell])[]): string {
  const width = Math.max(0, ...pairs.map(([name]) => widthOf(name)))
  return pairs
    .map(([name, value]) => `${name.padEnd(width)}  ${cellText(value)}`.trimEnd())
    .map((text) => `${text}\n`)
    .join('')
}

function cellText(cell: Cell): string {
  if (cell === null) return '-'
  return printable(String(cell))
}

/** Names come from others: what would move the cursor or colour the terminal is shown as an escape. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (c) => {
    const code = c.charCodeAt(0).toString(16).padStart(2, '0')
    return c === '\n' ? '\\n' : c === '\t' ? '\\t' : `\\x${code}`
  })

const widthOf = (text: string): number => [...text].length
