/** Ways in which one tenant's clients may ask for everything there is. */

export const FLOODS = {
  spin: 'nothing is sent: a process keeps a core busy, as the others do beside what they send',
  tiny: 'requests of a few bytes, pipelined without end',
  produces: 'batches of 900 KB, two on the way on each connection',
  records: 'produces of one small record, pipelined without end',
  fetches: 'everything is read again and again, a megabyte at a time',
  metadata: 'metadata of 1,000 partitions, pipelined without end',
  idle: 'connects that are never used',
  churn: 'connects, a request, closes',
  malformed: 'frames that are no requests, and a new connection after each',
  half: 'frames of which a part is sent and no more',
  unread: 'metadata of 1,000 partitions is asked for over and over, and nothing is read',
  logins: 'logins with wrong secrets',
} as const

export type FloodName = keyof typeof FLOODS

export const floodNames = Object.keys(FLOODS) as FloodName[]

/** What the process that floods is told. */
export interface FloodOrder {
  readonly flood: FloodName
  readonly host: string
  readonly port: number
  /** Where logins are asked for. */
  readonly loginPort: number
  readonly username: string
  /** Of the tenant that floods, both of one partition: one that is filled, one to be filled. */
  readonly topic: string
  readonly sink: string
  readonly connections: number
}

/** What it has done until it was told to end. */
export interface FloodReport {
  readonly connects: number
  readonly refused: number
  readonly sentBytes: number
  readonly receivedBytes: number
}
