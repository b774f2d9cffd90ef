/** `griot consume -g`: as a member of a group, committing what has been printed. */
import type { AssignorName } from '../kafka-client/assignors.ts'
import { GroupMember } from '../kafka-client/group-member.ts'
import { committedOffsets, describeGroup } from '../kafka-client/groups.ts'
import { keyOf, type TopicPartition } from '../kafka-client/offsets.ts'
import { countOf, type Properties } from './client-properties.ts'
import { planPartitions } from './consume-plan.ts'
import { type ConsumeOptions, type Consumption, POLL_MS, printPart } from './consumption.ts'
import { UsageError } from './failure.ts'

const COMMIT_EVERY_MS = 5_000

/** A partition that is this member's. */
interface Held extends TopicPartition {
  readonly printFrom: number
  /** Where the partition ended when it came, if reading ends there. */
  readonly stopBefore: number | null
  /** The offset behind what has been printed; what is committed next. */
  next: number
  committed: number
}

export async function consumeAsGroup(
  consumption: Consumption,
  groupId: string,
  options: ConsumeOptions,
  properties: Properties,
): Promise<void> {
  if (consumption.range.until !== null) {
    throw new UsageError('-o with an end does not go with -g: use -e or -n')
  }
  const session = properties.sessionTimeoutMs
  const member = new GroupMember(consumption.client, {
    groupId,
    topics: consumption.topics,
    assignor: await assignorOf(consumption, groupId, options.assignor ?? properties.assignor),
    instanceId: properties.instanceId ?? null,
    onTrouble: (message) => console.error(`griot: ${message}`),
    ...(session === undefined
      ? {}
      : { sessionTimeoutMs: countOf('-X session.timeout.ms', session, 1) }),
  })
  const commits = options.commit && properties.autoCommit !== 'false'
  const reader = new GroupReader(consumption, member, groupId, commits)
  try {
    await reader.run()
  } finally {
    await reader.end()
  }
}

/** The one given, or the one that the group has now: all members must have one in common. */
async function assignorOf(
  { client }: Consumption,
  groupId: string,
  text: string | undefined,
): Promise<AssignorName> {
  const name = text ?? ((await describeGroup(client, groupId)).assignor || 'range')
  if (name === 'range' || name === 'cooperative-sticky') return name
  if (text === undefined) {
    throw new UsageError(
      `group "${groupId}" shares partitions by "${name}", which griot consume does not know: range and cooperative-sticky`,
    )
  }
  throw new UsageError(`--assignor ${name}: wants range or cooperative-sticky`)
}

class GroupReader {
  readonly #consumption: Consumption
  readonly #member: GroupMember
  readonly #groupId: string
  readonly #commits: boolean
  readonly #held = new Map<string, Held>()
  #committedMs = performance.now()
  #hasToldOfOffset = false

  constructor(consumption: Consumption, member: GroupMember, groupId: string, commits: boolean) {
    this.#consumption = consumption
    this.#member = member
    this.#groupId = groupId
    this.#commits = commits
  }

  async run(): Promise<void> {
    const { fetcher, printer, stop } = this.#consumption
    while (!stop.isWanted && !printer.isDone) {
      if (this.#member.mustJoin) await this.#rebalance()
      if (this.#isAtEnd) return
      const parts = await fetcher.next(POLL_MS)
      if (parts === null) return
      for (const part of parts) {
        const held = this.#held.get(keyOf(part))
        if (held === undefined) continue
        held.next = await printPart(this.#consumption, part, held)
        if (printer.isDone || stop.isWanted) break
      }
      await printer.flush()
      if (performance.now() - this.#committedMs >= COMMIT_EVERY_MS) await this.#commit()
    }
  }

  /** Commits and leaves; what fails is told, since it will be read again. */
  async end(): Promise<void> {
    await this.#consumption.printer.flush()
    await this.#commit()
    await this.#member.close()
  }

  /** Only once there is an assignment: a member without partitions has nothing to wait for either. */
  get #isAtEnd(): boolean {
    if (!this.#consumption.exitsAtEnd || this.#member.mustJoin) return false
    return [...this.#held.values()].every(({ next, stopBefore }) => next >= stopBefore!)
  }

  async #rebalance(): Promise<void> {
    const { fetcher, printer } = this.#consumption
    const { added } = await this.#member.rebalance(async (partitions) => {
      // what is in hand has been printed: the loop takes parts one after another
      await printer.flush()
      await this.#commit()
      for (const partition of partitions) {
        fetcher.unassign(partition)
        this.#held.delete(keyOf(partition))
      }
    })
    if (added.length > 0) await this.#begin(added)
  }

  /** Goes on where the group stands, or where `-o` says if it has committed nothing. */
  async #begin(partitions: readonly TopicPartition[]): Promise<void> {
    const { client, range, exitsAtEnd, fetcher } = this.#consumption
    const stored = await committedOffsets(client, this.#groupId, partitions, true)
    const offsets = new Map(stored.map((committed) => [keyOf(committed), committed.offset]))
    if (offsets.size > 0) this.#tellOfOffset()
    // the end of committed data: what is still open is not waited for
    const plan = await planPartitions(client, partitions, range, exitsAtEnd, 'read_committed')
    for (const planned of plan) {
      const offset = offsets.get(keyOf(planned))
      const from = offset ?? planned.fetchFrom
      const { topic, partition, printFrom, stopBefore } = planned
      this.#held.set(keyOf(planned), {
        ...{ topic, partition, stopBefore, next: from },
        printFrom: offset ?? printFrom,
        committed: offset ?? -1,
      })
      fetcher.assign(planned, from)
    }
  }

  #tellOfOffset(): void {
    if (!this.#consumption.isOffsetGiven || this.#hasToldOfOffset) return
    this.#hasToldOfOffset = true
    console.error(
      `griot: group "${this.#groupId}" goes on from what it has committed; -o is for partitions where it has not ` +
        '(griot group reset-offsets moves it)',
    )
  }

  async #commit(): Promise<void> {
    this.#committedMs = performance.now()
    const moved = [...this.#held.values()].filter(({ next, committed }) => next !== committed)
    // what is committed has been written, and nobody knows how much of the rest was
    if (!this.#commits || moved.length === 0 || this.#consumption.printer.isClosed) return
    const offsets = moved.map(({ topic, partition, next: offset }) => ({
      topic,
      partition,
      offset,
    }))
    try {
      await this.#member.commit(offsets)
      for (const [i, held] of moved.entries()) held.committed = offsets[i]!.offset
    } catch (error) {
      console.error(`griot: ${(error as Error).message}: these records will be read again`)
    }
  }
}
