/** What runs on a thread of the pool: the one function that Piscina calls. */
import { prepareCompression } from '../record/compression.ts'
import { type RecordResult, type RecordTask, runRecordTask } from './record-task.ts'

let prepared: Promise<void> | null = null

/** Does one task of the front's on this thread. */
export async function runOnPool(task: RecordTask): Promise<RecordResult> {
  await (prepared ??= prepareCompression())
  return runRecordTask(task)
}
