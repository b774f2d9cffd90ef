import type { BrokerId, PartitionNumber } from '../../base/ids.ts'
import type { LogFields, LogLevel } from '../../base/log.ts'
import { brokerPeer, type ControlPort, SERVER_PEER } from '../../link/ports.ts'
import { ControlEntries } from '../../log/control-entries.ts'
import { isEndOfProcess } from '../../log/disk.ts'
import type { LogEnvironment } from '../../log/environment.ts'
import { NO_REPLICA } from '../../raft/types.ts'
import type { Replica } from '../replica.ts'
import { isVoter } from './membership-moves.ts'
import type { ReplicaGroup } from './replica-group.ts'
import type { ReplicaOpeningOptions } from './replica-opening.ts'

export interface ReplicaFillingOptions
  extends Pick<ReplicaOpeningOptions, 'cellId' | 'brokerId' | 'image' | 'table'> {
  readonly environment: LogEnvironment
  readonly control: ControlPort
  /** The image knows this broker's directory. */
  readonly isRegistered: () => boolean
  readonly isReachable: (broker: BrokerId) => boolean
  /** Of this broker's replica of that partition, if it is made now. */
  readonly ownIdOf: (number: PartitionNumber) => number
  /** Of that replica. */
  readonly directoryOf: (number: PartitionNumber) => string
  /** This broker keeps no metadata log, or votes in its group again. */
  readonly hasMetadata: () => boolean
  /** Opens the group of a replica as it is; null where that cannot be now. */
  readonly open: (replica: Replica) => ReplicaGroup | null
  /** For the controller: this directory has what the ones before had. */
  readonly onFilled: (directoryId: string) => void
}

/** One that has been asked for. */
interface Asked {
  /** Not even a voter as far as its own files tell. */
  readonly isLacking: boolean
  /** When it was seen last that somebody leads. */
  ledAtMs: number
  askedAtMs: number
}

/** Nobody was found to lead it. */
interface Leaderless {
  /** So often; asked for in vain for as long as the others are is twice. */
  tries: number
  /** Not before. */
  nextAtMs: number
  /** With what comes of the last try. */
  isAsked: boolean
}

const leaderless = (tries: number, nextAtMs: number): Leaderless => ({
  ...{ tries, nextAtMs, isAsked: false },
})

/** Partition numbers gone through in a turn: of each that is here a directory is looked at. */
const SCANNED_PER_TURN = 64
const LOOK_EVERY_MS = 100
/** Groups opened at each look, to see whether they lack anything. */
const OPENED_PER_LOOK = 16
/** Partitions that others are asked for at a time. */
const ASKED_MAX = 64
const ASK_AGAIN_MS = 2_000
/** Without a leader for so long, it makes room for others. */
const LEADERLESS_AFTER_MS = 10_000
/** And is tried again after so long, twice as long each time, with so many others at each look; each keeps a group awake for a while. */
const LEADERLESS_AGAIN_MS = 5_000
const LEADERLESS_AGAIN_MAX_MS = 300_000
const LEADERLESS_PER_LOOK = 8
/** Of them, those looked at whether their time has come. */
const LEADERLESS_LOOKS = 64
/** A group that was woken and can elect a leader has one by then. */
const LED_AFTER_MS = 2_000
/** Partitions named in the log as lost, of each life. */
const NAMED_MAX = 10

const FILLING = 'Another directory than before: its replicas are filled anew by the other brokers'
const EMPTIED =
  'Another directory than before: partitions with one replica, which was in the one before, begin anew, and what they had is lost'
const FILLED = 'The directory has all replicas again that the one before it had'
const LOST =
  'Nobody leads a partition though all its brokers are there: the directories of most of them were emptied before they had been filled again, and what the rest holds is not served'

/**
 * A broker whose directory is another than before has its replicas filled anew, whether anybody uses them or not: it asks those that hold a partition
 * to wake its group, whose leader does the rest (`membership-moves.ts`), a bounded number at a time, and tells the controller when nothing is lacking. On the broker's thread.
 */
export class ReplicaFilling {
  readonly #options: ReplicaFillingOptions
  /** The directory that is being filled. */
  #directoryId: string | null = null
  #beganAtMs = 0
  #hasLogged = false
  #nextNumber = 0
  /** There are files of this life of it, which may or may not be all. Neither list is in any order. */
  #unchecked: PartitionNumber[] = []
  #lacking: PartitionNumber[] = []
  readonly #asked = new Map<PartitionNumber, Asked>()
  /** Of so many replicas the directories were emptied that there may be no leader, or none was found: in the way of none that can be filled. */
  readonly #leaderless = new Map<PartitionNumber, Leaderless>()
  /** Others are to wake them with this look. */
  #toAsk: PartitionNumber[] = []
  #filled = 0
  /** Partitions that had no replica but the one here. */
  #emptied = 0
  readonly #firstEmptied: string[] = []
  readonly #named = new Set<PartitionNumber>()
  #lookAtMs = 0
  #confirmAtMs = 0
  #told = '0 0 0'

  constructor(options: ReplicaFillingOptions) {
    this.#options = options
  }

  /** Monotonic milliseconds at which the next turn is due. */
  get nextTimerAtMs(): number {
    if (this.#directoryId === null) return Number.POSITIVE_INFINITY
    return this.#isScanned ? this.#lookAtMs : 0
  }

  /** It has something of the partition, as far as its own files tell: others that lack it may ask for that. */
  mayHelp({ number, group }: Replica): boolean {
    const { image, brokerId } = this.#options
    return !image.mayLack(number, brokerId) || group !== null || this.#hasFiles(number)
  }

  /** Other brokers can be reached than before: what had no leader may find one. */
  onReachability(): void {
    for (const one of this.#leaderless.values()) {
      one.nextAtMs = 0
      one.isAsked = false
    }
  }

  doWork(nowMs: number): number {
    const { image, cellId, brokerId, isRegistered } = this.#options
    if (!isRegistered()) return 0
    const directory = image.brokerDirectory(cellId, brokerId)
    if (directory === undefined || directory.isFilled) return this.#end(nowMs)
    if (directory.directoryId !== this.#directoryId) this.#begin(directory.directoryId, nowMs)
    if (!this.#isScanned) return this.#scan()
    if (nowMs < this.#lookAtMs) return 0
    this.#lookAtMs = nowMs + LOOK_EVERY_MS
    this.#logBegin()
    this.#lookAtAsked(nowMs)
    this.#lookAtLeaderless(nowMs)
    this.#takeMore(nowMs)
    this.#ask(nowMs)
    this.#tell()
    const isDone = this.#left + this.#asked.size + this.#unchecked.length === 0
    if (isDone && nowMs >= this.#confirmAtMs) {
      this.#confirmAtMs = nowMs + ASK_AGAIN_MS
      this.#options.onFilled(directory.directoryId)
    }
    return 1
  }

  #begin(directoryId: string, nowMs: number): void {
    this.#directoryId = directoryId
    this.#beganAtMs = nowMs
    this.#nextNumber = 0
    this.#hasLogged = false
    this.#unchecked = []
    this.#lacking = []
    this.#asked.clear()
    this.#leaderless.clear()
    this.#filled = 0
    this.#emptied = 0
    this.#firstEmptied.length = 0
    this.#named.clear()
    this.#confirmAtMs = 0
  }

  /** The controller has taken down that nothing is lacking, or nothing ever was. */
  #end(nowMs: number): number {
    this.#tell()
    if (this.#directoryId === null) return 0
    this.#directoryId = null
    if (this.#hasLogged) {
      const fields = { partitions: this.#filled, tookMs: Math.round(nowMs - this.#beganAtMs) }
      this.#log('info', FILLED, fields)
    }
    return 1
  }

  get #isScanned(): boolean {
    const { image, cellId, brokerId } = this.#options
    return this.#nextNumber >= (image.brokerDirectory(cellId, brokerId)?.firstPartition ?? 0)
  }

  /** Numbers rise with time: what was made before this directory came. */
  #scan(): number {
    const { image, cellId, brokerId } = this.#options
    const end = image.brokerDirectory(cellId, brokerId)?.firstPartition ?? 0
    const until = Math.min(end, this.#nextNumber + SCANNED_PER_TURN)
    for (; this.#nextNumber < until; this.#nextNumber++) {
      const number = this.#nextNumber as PartitionNumber
      this.#noteEmptied(number)
      if (!this.#isHere(number)) continue
      if (this.#hasFiles(number)) this.#unchecked.push(number)
      else if (image.isLost(number)) this.#leaderless.set(number, leaderless(0, 0))
      else this.#lacking.push(number)
    }
    if (this.#isScanned) this.#logEmptied()
    return 1
  }

  /** Nobody can fill it. */
  #noteEmptied(number: PartitionNumber): void {
    const { image, brokerId, cellId } = this.#options
    if (image.cellOf(number) !== cellId || image.isReplicated(number)) return
    if (!image.replicasOf(number).includes(brokerId)) return
    if (++this.#emptied > NAMED_MAX) return
    const { topic, index } = image.glance(number)!
    this.#firstEmptied.push(`${topic.name}-${index}`)
  }

  #logEmptied(): void {
    const partitions = this.#emptied
    if (partitions > 0)
      this.#log('error', EMPTIED, { partitions, first: this.#firstEmptied.join(', ') })
  }

  /** Those of an earlier life are in the way of nobody but who opens them: they go when a leader fills the replica anew. */
  #hasFiles(number: PartitionNumber): boolean {
    const { environment, ownIdOf, directoryOf } = this.#options
    try {
      return ControlEntries.replicaIn(environment.disk, directoryOf(number)) === ownIdOf(number)
    } catch (error) {
      // whoever opens it finds out, and says so
      if (isEndOfProcess(error)) throw error
      return false
    }
  }

  /**
   * It is to have a replica here, of several. Or is to have one no more, and is one of those that were so many that nobody may lead: until that has come to an end it is not
   * to be taken for filled.
   */
  #isHere(number: PartitionNumber): boolean {
    const { image, brokerId, cellId } = this.#options
    if (image.cellOf(number) !== cellId || !image.isReplicated(number)) return false
    if (image.wantedReplicasOf(number).includes(brokerId)) return true
    return image.replicasOf(number).includes(brokerId) && image.isLost(number)
  }

  #logBegin(): void {
    const partitions = this.#lacking.length + this.#leaderless.size
    if (this.#hasLogged || partitions === 0) return
    this.#hasLogged = true
    this.#log('warn', FILLING, { partitions })
  }

  #lookAtAsked(nowMs: number): void {
    for (const [number, asked] of this.#asked) {
      if (!this.#isHere(number)) this.#asked.delete(number)
      else if (this.#isFilled(number)) {
        this.#asked.delete(number)
        if (asked.isLacking) this.#filled++
      } else if (this.#isLed(number)) asked.ledAtMs = nowMs
      else if (nowMs - asked.ledAtMs >= LEADERLESS_AFTER_MS) {
        this.#asked.delete(number)
        this.#leaderless.set(number, leaderless(2, nowMs + LEADERLESS_AGAIN_MS))
      }
    }
  }

  #lookAtLeaderless(nowMs: number): void {
    let tries = LEADERLESS_PER_LOOK
    let looks = Math.min(LEADERLESS_LOOKS, this.#leaderless.size)
    for (const [number, one] of this.#leaderless) {
      if (looks-- === 0) return
      this.#leaderless.delete(number)
      if (!this.#isHere(number)) continue
      if (nowMs < one.nextAtMs || tries === 0) this.#leaderless.set(number, one)
      else if (this.#isFilled(number)) this.#filled++
      else if (this.#isLed(number)) this.#add(number, true, nowMs)
      else {
        tries--
        this.#tryAgain(number, one, nowMs)
      }
    }
  }

  /** At the back of those that wait: others are asked, or it is seen that this was in vain. */
  #tryAgain(number: PartitionNumber, one: Leaderless, nowMs: number): void {
    this.#leaderless.set(number, one)
    one.isAsked = !one.isAsked
    if (one.isAsked) {
      this.#toAsk.push(number)
      one.nextAtMs = nowMs + LED_AFTER_MS
      return
    }
    if (++one.tries > 1) this.#nameLost(number)
    const pauseMs = LEADERLESS_AGAIN_MS * 2 ** (one.tries - 1)
    one.nextAtMs = nowMs + Math.min(LEADERLESS_AGAIN_MAX_MS, pauseMs)
  }

  /** As many more as others may be asked for at a time. */
  #takeMore(nowMs: number): void {
    let opened = 0
    while (this.#asked.size < ASKED_MAX) {
      const number = opened < OPENED_PER_LOOK ? this.#unchecked.pop() : undefined
      if (number !== undefined) {
        opened++
        this.#check(number, nowMs)
      } else {
        const next = this.#lacking.pop()
        if (next === undefined) return
        if (this.#isHere(next)) this.#add(next, true, nowMs)
      }
    }
  }

  /** Its files may tell that it has what it had. */
  #check(number: PartitionNumber, nowMs: number): void {
    if (!this.#isHere(number) || this.#isFilled(number)) return
    const group = this.#options.table.get(number)?.group
    const isVoter = group?.raft.configuration.voters.includes(group.raft.id) === true
    this.#add(number, !isVoter, nowMs)
  }

  #add(number: PartitionNumber, isLacking: boolean, nowMs: number): void {
    const askedAtMs = Number.NEGATIVE_INFINITY
    this.#asked.set(number, { isLacking, ledAtMs: nowMs, askedAtMs })
  }

  /** It votes as what it is in this directory, and that is committed. A group that has been closed since, as it has nothing to do, is opened. */
  #isFilled(number: PartitionNumber): boolean {
    const { table, ownIdOf, open } = this.#options
    let group = table.get(number)?.group ?? null
    if (group === null && this.#hasFiles(number)) group = open(table.admit(number)!)
    return group !== null && group.raft.id === ownIdOf(number) && isVoter(group)
  }

  #isLed(number: PartitionNumber): boolean {
    const raft = this.#options.table.get(number)?.group?.raft
    return raft !== undefined && raft.leader !== NO_REPLICA
  }

  #ask(nowMs: number): void {
    for (const [number, asked] of this.#asked) {
      if (nowMs - asked.askedAtMs < ASK_AGAIN_MS || this.#isLed(number)) continue
      asked.askedAtMs = nowMs
      this.#toAsk.push(number)
    }
    const { image, control, cellId, brokerId, isReachable } = this.#options
    const perBroker = new Map<BrokerId, PartitionNumber[]>()
    for (const number of this.#toAsk.splice(0)) {
      for (const broker of image.holdersOf(number)) {
        if (broker === brokerId || !isReachable(broker)) continue
        const partitions = perBroker.get(broker) ?? []
        partitions.push(number)
        perBroker.set(broker, partitions)
      }
    }
    for (const [broker, partitions] of perBroker) {
      control.post(brokerPeer(cellId, broker), { kind: 'wake-groups', partitions })
    }
  }

  get #left(): number {
    let left = this.#lacking.length + this.#leaderless.size
    if (this.#directoryId !== null && !this.#options.hasMetadata()) left++
    for (const { isLacking } of this.#asked.values()) if (isLacking) left++
    return left
  }

  #tell(): void {
    const { control, brokerId } = this.#options
    const left = this.#left
    let lost = 0
    for (const { tries } of this.#leaderless.values()) if (tries > 1) lost++
    const emptied = this.#emptied
    const told = `${left} ${lost} ${emptied}`
    if (told === this.#told) return
    this.#told = told
    control.post(SERVER_PEER, { kind: 'filling', brokerId, left, leaderless: lost, emptied })
  }

  /** Where a broker is away, it may be what is missing. */
  #nameLost(number: PartitionNumber): void {
    const { image, brokerId, isReachable } = this.#options
    if (this.#named.size >= NAMED_MAX || this.#named.has(number) || !image.isLost(number)) return
    const others = image.holdersOf(number).filter((broker) => broker !== brokerId)
    if (!others.every(isReachable)) return
    this.#named.add(number)
    const { topic, index } = image.glance(number)!
    this.#log('error', LOST, {
      ...{ tenantId: topic.tenantId, topic: topic.name, partition: index },
      more: this.#named.size === NAMED_MAX ? 'others are not named' : undefined,
    })
  }

  #log(level: LogLevel, message: string, fields: LogFields): void {
    const { environment, cellId, brokerId } = this.#options
    environment.logger.log(level, message, { cellId, brokerId, ...fields })
  }
}
