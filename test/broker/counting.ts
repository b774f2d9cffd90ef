/** A coordinator that counts, and what tests of coordinators share. */
import { expect } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import type { PartitionNumber } from '../../src/base/ids.ts'
import type { CallToken } from '../../src/broker/coordinator-answers.ts'
import type {
  CoordinatorAnswer,
  CoordinatorCall,
  CoordinatorStep,
  HostedCoordinator,
} from '../../src/coordinator/hosted.ts'
import type {
  SimulatedDisk,
  SimulatedFault,
  SimulatedOperation,
} from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { type HeartbeatRequest, heartbeat } from '../../src/protocol/12-heartbeat.ts'
import { decodeResponse, encodeRequest, joinFrame } from '../../src/protocol/codec.ts'
import { World, type WorldOptions } from './world.ts'

const NOTHING: CoordinatorStep<CallToken> = { records: [], answers: [] }
const bytes = (text: string) => new TextEncoder().encode(text)

/** Counts what it is told. A heartbeat's group id says what to do; its answer's error code tells the count. */
export class Counting implements HostedCoordinator<CallToken> {
  readonly values: string[] = []
  readonly deleted: string[] = []
  readonly parked: CallToken[] = []
  committed = 0
  loads = 0
  nextTimerAtMs = Number.POSITIVE_INFINITY
  isQuiet = true

  replay(_offset: number, _key: Uint8Array, value: Uint8Array | null): void {
    this.values.push(new TextDecoder().decode(value ?? undefined))
  }
  onLoaded() {
    this.loads++
    return NOTHING
  }
  handle(call: CoordinatorCall<CallToken>, nowMs: number): CoordinatorStep<CallToken> {
    const { groupId } = call.request as HeartbeatRequest
    const [what, value = ''] = groupId.split(':')
    const answer = this.#answer(call.token)
    switch (what) {
      case 'put':
        return { records: [{ key: bytes('k'), value: bytes(value) }], answers: [answer] }
      case 'park':
        this.parked.push(call.token)
        return NOTHING
      case 'later':
        this.parked.push(call.token)
        this.nextTimerAtMs = nowMs + 1_000
        return NOTHING
      case 'throw':
        throw new Error('a bug')
      case 'park-throw':
        this.parked.push(call.token)
        throw new Error('a bug')
      case 'put-throw':
        return {
          get records(): never {
            throw new Error('a bug')
          },
          answers: [answer, ...this.parked.splice(0).map((token) => this.#answer(token))],
        }
      case 'committed':
        return { records: [], answers: [this.#answer(call.token, this.committed)] }
      default:
        return { records: [], answers: [answer] }
    }
  }
  fail(step: CoordinatorStep<CallToken>, errorCode: ErrorCode) {
    return step.answers.map(({ token }) => ({ token, response: { throttleTimeMs: 0, errorCode } }))
  }
  fireTimers(
    nowMs: number,
    _wallMs: number,
    _limit: number,
    take: (step: CoordinatorStep<CallToken>) => void,
  ): number {
    if (nowMs < this.nextTimerAtMs) return 0
    this.nextTimerAtMs = Number.POSITIVE_INFINITY
    const answers = this.parked.splice(0).map((token) => this.#answer(token))
    take({ records: [{ key: bytes('k'), value: bytes('timer') }], answers })
    return 1
  }
  onTopicsDeleted(topics: readonly { readonly name: string }[]) {
    this.deleted.push(...topics.map(({ name }) => name))
    return NOTHING
  }
  commit(offset: number): void {
    this.committed = offset
  }
  stop(): readonly CoordinatorAnswer<CallToken>[] {
    return this.parked.map((token) => ({
      token,
      response: { throttleTimeMs: 0, errorCode: ErrorCode.NOT_COORDINATOR },
    }))
  }
  #answer(token: CallToken, errorCode = this.values.length): CoordinatorAnswer<CallToken> {
    return { token, response: { throttleTimeMs: 0, errorCode } }
  }
}

export function start(options: WorldOptions = {}) {
  const made: Counting[] = []
  const newCoordinator = () => {
    const coordinator = new Counting()
    made.push(coordinator)
    return coordinator
  }
  const world = new World({ newCoordinator, ...options })
  const [partition] = world.createTopic({ internal: true })
  world.run()
  return { world, made, partition: partition!, newCoordinator }
}

export function ask(world: World, partition: PartitionNumber, groupId: string): number {
  const request = { groupId, generationId: 0, memberId: '', groupInstanceId: null }
  const frame = joinFrame(encodeRequest(heartbeat, 4, 7, 'client', request)).subarray(4)
  return world.front.coordinate(partition, frame)
}

/** What has come: the error code within the answer, or `error` where no coordinator answered. */
export function answers(world: World) {
  return world.front.coordinated().map(({ correlation, error, frame }) => {
    if (frame === null) return { correlation, refused: error }
    const decoded = decodeResponse(heartbeat, 4, frame.subarray(4))
    expect(decoded.correlationId).toBe(7)
    return { correlation, code: decoded.response.errorCode }
  })
}

export const failing =
  (operation: string, part: string, code: string) =>
  (asked: SimulatedOperation): SimulatedFault | null =>
    asked.operation === operation && asked.path.includes(part) ? { kind: 'error', code } : null

/** Flushes complete once it is let go. */
export function heldFlusher(disk: SimulatedDisk) {
  let isHeld = true
  const inner = new SimulatedFlusher(disk)
  const flush = {
    get pending() {
      return inner.pending
    },
    request: inner.request.bind(inner),
    remove: inner.remove.bind(inner),
    doWork: () => (isHeld ? 0 : inner.doWork()),
  }
  const release = () => {
    isHeld = false
  }
  return { flush, release }
}
