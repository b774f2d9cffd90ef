/** A row of the table: what it measures, what it needs, and how one run of it goes. */

import type { Sandbox } from '../common/sandbox.ts'
import type { Broker, Side } from './broker.ts'
import type { Outcome } from './measures.ts'
import type { Needs } from './preflight.ts'
import type { TableRow } from './table.ts'

/** How long things take; shorter than the defaults for a trial. */
export interface Timing {
  /** Of one run, measured. */
  readonly seconds: number
  /** Before each run, unless its process is fresh. */
  readonly warmupSeconds: number
  /** Before the first run of a process that is fresh, by {@link Side}. */
  readonly freshWarmupSeconds: { readonly griot: number; readonly kafka: number }
  /** After a start or a load, before memory is looked at: what a broker does by itself then is not what was asked of it. */
  readonly restMs: number
  /** Of what a row makes or writes beforehand: 1, and less for a test. */
  readonly size: number
}

/** A cluster that stays for the whole row. */
export interface Standing {
  readonly side: Side
  readonly broker: Broker
}

interface RowBase extends TableRow {
  readonly needs: Needs
  /** Its logs are kept small by `retention.bytes`: a broker that looks at that every few minutes only is told to do it sooner. */
  readonly keepsLogsSmall?: boolean
  /** Brokers of both sides are killed in the midst of it, which those must be able to have done. */
  readonly killsBrokers?: boolean
  /** Its directories go to memory where there is room for them: on a disk the file system would be measured. */
  readonly isInMemory?: boolean
}

/** Both clusters are started once, warmed up and kept; a run is a load on one while the other has nothing to do. */
export interface StandingRow extends RowBase {
  readonly kind: 'standing'
  /** Before the first round, once both are warm: fills topics, finds rates. Returns what the result should say of it. */
  readonly prepare?: (both: Record<'griot' | 'peer', Standing>, timing: Timing) => Promise<string[]>
  /** Warms up, measures, and leaves nothing behind that the next run would feel. */
  readonly run: (standing: Standing, timing: Timing) => Promise<Outcome>
  /** For the warm-up of a fresh process; {@link run} where it is left out. */
  readonly warmup?: (standing: Standing, timing: Timing) => Promise<void>
}

/** A run starts and ends processes of its own; nothing else runs beside it. */
export interface FreshRow extends RowBase {
  readonly kind: 'fresh'
  readonly run: (side: Side, sandbox: Sandbox, timing: Timing) => Promise<Outcome>
}

/** Griot against what this machine can do, without any other broker. */
export interface LimitRow extends RowBase {
  readonly kind: 'limit'
  /** What the limit is called. */
  readonly peer: string
  readonly prepare?: (griot: Standing, timing: Timing) => Promise<void>
  readonly run: (griot: Standing, timing: Timing) => Promise<Outcome>
  readonly runLimit: (timing: Timing) => Promise<Outcome>
}

export type Row = StandingRow | FreshRow | LimitRow
