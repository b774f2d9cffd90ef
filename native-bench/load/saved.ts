/** What `--json` writes. */
import { type Circumstances, circumstances } from '../common/machine.ts'
import type { WorkloadResult } from './result.ts'

export interface SavedResult {
  readonly commandLine: string
  readonly circumstances: Circumstances
  /** Has the version of the schema. */
  readonly result: WorkloadResult
}

export const saved = (result: WorkloadResult, commandLine: string): SavedResult => ({
  commandLine,
  circumstances: circumstances(),
  result,
})
