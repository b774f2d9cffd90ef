/** What the workloads write into a record, so that whoever reads it knows who wrote it, where and as which one. */
import type { RecordRun } from './history.ts'

/** Padded to `bytes` with x, where it is shorter. */
export const valueText = (
  producer: string,
  topic: string,
  partition: number,
  number: number,
  bytes: number,
): string => `${producer} ${topic} ${partition} ${number} `.padEnd(bytes, 'x')

/**
 * The record as a run of one. One whose value is not what its own words say, or that was written to another partition, comes back as
 * of a producer that does not exist, so that a checker finds it.
 */
export function recordOf(
  topic: string,
  partition: number,
  offset: number,
  value: Buffer | null,
): RecordRun {
  const text = value?.toString('latin1') ?? 'no value'
  const [producer = '', , , numberText = ''] = text.split(' ', 4)
  const number = Number(numberText)
  const isWhole =
    Number.isSafeInteger(number) &&
    text === valueText(producer, topic, partition, number, text.length)
  if (isWhole) return { offset, producer, number, count: 1 }
  return { offset, producer: `?${text.slice(0, 60)}`, number: 0, count: 1 }
}

/** Joins records into runs as they come. */
export class RunJoiner {
  readonly runs: RecordRun[] = []

  add(record: RecordRun): void {
    const last = this.runs.at(-1)
    if (
      last !== undefined &&
      last.producer === record.producer &&
      last.offset + last.count === record.offset &&
      last.number + last.count === record.number
    ) {
      this.runs[this.runs.length - 1] = { ...last, count: last.count + record.count }
    } else this.runs.push(record)
  }
}
