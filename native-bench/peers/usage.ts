/** What all processes of a broker use together, from /proc; NaN where there is none. */
import { usageOf } from '../common/process-usage.ts'
import type { Broker } from './broker.ts'

type Pids = Pick<Broker, 'pids'>

export const cpuSecondsOf = ({ pids }: Pids): number => usageOf(pids)?.cpu ?? Number.NaN
export const rssBytesOf = ({ pids }: Pids): number => usageOf(pids)?.rss ?? Number.NaN
export const openFilesOf = ({ pids }: Pids): number => usageOf(pids)?.files ?? Number.NaN
