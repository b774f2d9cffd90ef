import type { ErrorCode } from '../../base/error-code.ts'
import type { CoordinatorRecord, GroupAnswer, GroupStep } from './types.ts'

/** Of the records of a step, keys and values: no log takes more as one batch. */
export const STEP_BYTES_MAX = 64 * 2 ** 20

/**
 * A step as it grows. Besides records and answers it remembers what to do instead if the records cannot be appended: soft
 * state is changed at once, in the belief that they will be.
 */
export class StepBuilder<T> implements GroupStep<T> {
  readonly records: CoordinatorRecord[] = []
  readonly answers: GroupAnswer<T>[] = []
  /** For each answer what is said instead, or null if it holds whether or not the records were appended. */
  readonly #refusals: (((error: ErrorCode) => unknown) | null)[] = []
  readonly #undo: ((error: ErrorCode) => void)[] = []
  #bytes = 0

  get isEmpty(): boolean {
    return this.records.length === 0 && this.answers.length === 0
  }

  /** Beyond {@link STEP_BYTES_MAX}: not all of its records are here, and it has to fail. */
  get isTooLarge(): boolean {
    return this.#bytes > STEP_BYTES_MAX
  }

  write(record: CoordinatorRecord): void {
    this.#bytes += record.key.length + (record.value?.length ?? 0)
    if (this.isTooLarge) this.records.length = 0
    else this.records.push(record)
  }

  /** An answer that is true whatever becomes of the records. */
  answer(token: T, response: unknown): void {
    this.answers.push({ token, response })
    this.#refusals.push(null)
  }

  /** An answer that is true only if the step's records are appended; else `refused` makes the one that is given. */
  answerWritten(token: T, response: unknown, refused: (error: ErrorCode) => unknown): void {
    this.answers.push({ token, response })
    this.#refusals.push(refused)
  }

  /** What to do to the soft state if the records could not be appended. */
  onFailure(undo: (error: ErrorCode) => void): void {
    this.#undo.push(undo)
  }

  /** The records could not be appended: what is answered instead, into `instead`, and the soft state put right. */
  fail(error: ErrorCode, instead: StepBuilder<T>): void {
    this.answers.forEach(({ token, response }, i) => {
      const refused = this.#refusals[i]!
      instead.answer(token, refused === null ? response : refused(error))
    })
    for (const undo of this.#undo) undo(error)
  }
}
