/** The leader epochs of a log and where each begins (KIP-101), and Kafka's text file of them. */
export interface EpochLine {
  readonly epoch: number
  readonly startOffset: number
}

export const EPOCH_FILE = 'leader-epoch-checkpoint'
const VERSION = 0

/** Version, count, then one line `epoch startOffset` each. */
export const encodeEpochs = (lines: readonly EpochLine[]): Uint8Array =>
  new TextEncoder().encode(
    `${VERSION}\n${lines.length}\n${lines.map((l) => `${l.epoch} ${l.startOffset}\n`).join('')}`,
  )

/** null when the file is torn: it can be made again from the batches. */
export function decodeEpochs(bytes: Uint8Array): EpochLine[] | null {
  const lines = new TextDecoder().decode(bytes).split('\n')
  const count = Number(lines[1])
  if (lines[0] !== String(VERSION) || !Number.isInteger(count) || lines.length !== count + 3) {
    return null
  }
  const epochs: EpochLine[] = []
  for (const line of lines.slice(2, -1)) {
    const match = /^(\d+) (\d+)$/.exec(line)
    if (match === null) return null
    epochs.push({ epoch: Number(match[1]), startOffset: Number(match[2]) })
  }
  return epochs
}

export class LeaderEpochs {
  #lines: EpochLine[]

  constructor(lines: readonly EpochLine[]) {
    this.#lines = [...lines]
  }

  get lines(): readonly EpochLine[] {
    return this.#lines
  }

  /** −1 for none. */
  get latest(): number {
    return this.#lines.at(-1)?.epoch ?? -1
  }

  /** Takes note that a batch of `epoch` is at `offset`; true when that is news, to be written to the file. */
  assign(epoch: number, offset: number): boolean {
    if (epoch <= this.latest) return false
    // An epoch that began where this one does has no batch.
    this.truncate(offset)
    this.#lines.push({ epoch, startOffset: offset })
    return true
  }

  /** Drops epochs that begin at `endOffset` or later; true when there were any. */
  truncate(endOffset: number): boolean {
    const before = this.#lines.length
    this.#lines = this.#lines.filter((line) => line.startOffset < endOffset)
    return this.#lines.length !== before
  }

  /** Drops epochs that lie wholly below `startOffset`. */
  advance(startOffset: number): boolean {
    const keep = this.#lines.findLastIndex((line) => line.startOffset <= startOffset)
    if (keep < 0 || (keep === 0 && this.#lines[0]!.startOffset === startOffset)) return false
    this.#lines = this.#lines.slice(keep)
    const first = this.#lines[0]!
    if (first.startOffset === startOffset && keep === 0) return false
    this.#lines[0] = { epoch: first.epoch, startOffset }
    return true
  }

  /** The epoch of the batch that holds `offset`; −1 for none. */
  at(offset: number): number {
    return this.#lines.findLast((line) => line.startOffset <= offset)?.epoch ?? -1
  }

  /**
   * The largest epoch not above `epoch`, and where it ends (KIP-279); −1 and −1 for one that has not begun. `currentEpoch` has begun,
   * at the log's end if it has no batch yet. An epoch before the first that is known ends where that begins.
   */
  endOf(
    epoch: number,
    logEndOffset: number,
    currentEpoch: number,
  ): { readonly epoch: number; readonly endOffset: number } {
    const isNew = currentEpoch > this.latest
    const lines = isNew
      ? [...this.#lines, { epoch: currentEpoch, startOffset: logEndOffset }]
      : this.#lines
    const last = lines.at(-1)
    if (epoch < 0 || last === undefined || epoch > last.epoch) return { epoch: -1, endOffset: -1 }
    const index = lines.findLastIndex((line) => line.epoch <= epoch)
    const endOffset = lines[index + 1]?.startOffset ?? logEndOffset
    return { epoch: lines[index]?.epoch ?? epoch, endOffset }
  }
}
