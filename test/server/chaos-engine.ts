/** An embedded engine whose brokers can be made to fail, and clients of it. */
import { type Admin, Kafka, logLevel, type Producer } from 'kafkajs'
import { expect, vi } from 'vitest'
import { Griot, type GriotOptions } from '../../dist/index.js'
import { buildBatch } from '../../src/record/builder.ts'
import { Wire } from '../clients/wire.ts'

export class ChaosEngine {
  readonly griot: Griot
  readonly #closing: (() => Promise<unknown>)[] = []

  private constructor(griot: Griot) {
    this.griot = griot
  }

  static async start(brokers: number, more: GriotOptions = {}): Promise<ChaosEngine> {
    const common = { chaos: true, httpListen: '127.0.0.1:0', logLevel: 'silent' } as const
    return new ChaosEngine(await Griot.start({ ...common, brokers, ...more }))
  }

  get chaos(): Griot['chaos'] {
    return this.griot.chaos
  }

  async close(): Promise<void> {
    await Promise.all(this.#closing.splice(0).map((close) => close()))
    await this.griot.close()
  }

  client(): Kafka {
    return new Kafka({
      brokers: [...this.griot.brokers],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 50, maxRetryTime: 300, retries: 60 },
    })
  }

  async producer(): Promise<Producer> {
    const producer = this.client().producer({ idempotent: true })
    this.#closing.push(() => producer.disconnect())
    await producer.connect()
    return producer
  }

  /** Sends each request once, and shows its error. */
  async wire(): Promise<Wire> {
    const wire = await Wire.open(this.griot.brokers[0]!)
    this.#closing.push(async () => wire.close())
    return wire
  }

  async withAdmin<T>(use: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = this.client().admin()
    await admin.connect()
    try {
      return await use(admin)
    } finally {
      await admin.disconnect()
    }
  }

  /** With one replica each; returns the brokers that lead its partitions. */
  makeTopic(topic: string, numPartitions: number): Promise<number[]> {
    return this.withAdmin(async (admin) => {
      await admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor: 1 }] })
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      const partitions = [...topics[0]!.partitions].sort((a, b) => a.partitionId - b.partitionId)
      return partitions.map(({ leader }) => leader)
    })
  }

  endsOf(topic: string): Promise<string[]> {
    return this.withAdmin(async (admin) => {
      const offsets = await admin.fetchTopicOffsets(topic)
      return offsets.sort((a, b) => a.partition - b.partition).map(({ high }) => high)
    })
  }

  /** As `degraded: why: why else`. */
  async health(): Promise<string> {
    const response = await fetch(`${this.griot.url}/health`)
    const { status, reasons } = (await response.json()) as { status: string; reasons: string[] }
    return [status, ...reasons].join(': ')
  }

  /** Waits until it contains `text`. */
  healthIs(text: string, timeout = 10_000): Promise<void> {
    const look = async () => expect(await this.health()).toContain(text)
    return vi.waitFor(look, { timeout, interval: 10 })
  }
}

export const batch = (value: string): Uint8Array =>
  buildBatch([{ timestampMs: Date.now(), key: null, value: Buffer.from(value) }])
