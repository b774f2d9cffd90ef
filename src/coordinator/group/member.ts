import type { Timer } from '../../base/timer-queue.ts'

export const NO_BYTES = new Uint8Array(0)

export interface MemberProtocol {
  readonly name: string
  /** What the member says to the leader if this protocol is selected; for consumers a subscription. */
  readonly metadata: Uint8Array
}

/** A JoinGroup or SyncGroup that waits for the others. */
export interface Waiting<T> {
  readonly token: T
  readonly version: number
}

export interface NewMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly protocolType: string
  /** In the order of the member's preference. */
  readonly protocols: readonly MemberProtocol[]
  readonly assignment: Uint8Array
}

/** Bytes, nearly, that a member takes in answers and in the group's record. */
export function memberBytes(
  names: readonly (string | null)[],
  protocols: readonly MemberProtocol[],
): number {
  let bytes = 0
  for (const name of names) bytes += name?.length ?? 0
  for (const { name, metadata } of protocols) bytes += name.length + metadata.length
  return bytes
}

/** A member of a group as its leader knows it: what the log holds of it, and what it waits for. */
export class Member<T> {
  readonly memberId: string
  /** Null: a dynamic member. */
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly protocolType: string
  rebalanceTimeoutMs: number
  sessionTimeoutMs: number
  protocols: readonly MemberProtocol[]
  assignment: Uint8Array
  waitingJoin: Waiting<T> | null = null
  waitingSync: Waiting<T> | null = null
  /** What it counts in its group. */
  countedBytes = 0
  /** Joined, but in no generation yet: it has no id to send heartbeats with. */
  isNew = false
  sessionTimer: Timer | null = null

  constructor(from: NewMember) {
    this.memberId = from.memberId
    this.groupInstanceId = from.groupInstanceId
    this.clientId = from.clientId
    this.clientHost = from.clientHost
    this.protocolType = from.protocolType
    this.rebalanceTimeoutMs = from.rebalanceTimeoutMs
    this.sessionTimeoutMs = from.sessionTimeoutMs
    this.protocols = from.protocols
    this.assignment = from.assignment
  }

  get isStatic(): boolean {
    return this.groupInstanceId !== null
  }

  get bytes(): number {
    const names = [this.memberId, this.groupInstanceId, this.clientId, this.clientHost]
    return memberBytes(names, this.protocols)
  }

  /** Whoever waits for a rebalance need not send heartbeats; new members may expire even so. */
  get hasSatisfiedHeartbeat(): boolean {
    return !this.isNew && (this.waitingJoin !== null || this.waitingSync !== null)
  }

  metadataFor(protocolName: string | null): Uint8Array | undefined {
    return this.protocols.find((protocol) => protocol.name === protocolName)?.metadata
  }

  matches(protocols: readonly MemberProtocol[]): boolean {
    return (
      protocols.length === this.protocols.length &&
      protocols.every(({ name, metadata }, i) => {
        const own = this.protocols[i]!
        return own.name === name && Buffer.compare(own.metadata, metadata) === 0
      })
    )
  }

  /** Its favourite among the candidates. */
  vote(candidates: ReadonlySet<string>): string | undefined {
    return this.protocols.find((protocol) => candidates.has(protocol.name))?.name
  }
}
