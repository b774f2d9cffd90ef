/** How far long work has come: one line on a terminal's standard error, nothing elsewhere. */
const EVERY_MS = 250

export class Progress {
  readonly #isOn: boolean
  readonly #startMs = performance.now()
  #shownMs = 0
  #isShown = false

  /** `isOn` false keeps quiet: the terminal shows the records themselves, or nobody looks. */
  constructor(isOn: boolean) {
    this.#isOn = isOn && process.stderr.isTTY === true
  }

  /** `text` is asked for when a line is due. */
  update(text: () => string): void {
    if (!this.#isOn) return
    const now = performance.now()
    if (now - this.#startMs < 2 * EVERY_MS || now - this.#shownMs < EVERY_MS) return
    this.#shownMs = now
    this.#isShown = true
    process.stderr.write(`\r\x1b[K${text()}`)
  }

  /** Takes the line away. */
  end(): void {
    if (this.#isShown) process.stderr.write('\r\x1b[K')
    this.#isShown = false
  }
}

/** `12,345 records, 1.2 MB, 4,567 records/s`. */
export function amountText(records: number, bytes: number, seconds: number): string {
  const rate = seconds > 0 ? Math.round(records / seconds) : 0
  const what = records === 1 ? 'record' : 'records'
  return `${records.toLocaleString('en')} ${what}, ${sizeText(bytes)}, ${rate.toLocaleString('en')} records/s`
}

export function sizeText(bytes: number): string {
  for (const [unit, size] of [
    ['GB', 1e9],
    ['MB', 1e6],
    ['KB', 1e3],
  ] as const) {
    if (bytes >= size) return `${(bytes / size).toFixed(1)} ${unit}`
  }
  return `${Math.round(bytes)} B`
}
