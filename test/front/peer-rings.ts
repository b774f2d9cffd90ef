/** The rings between the brokers of a harness, each way. */
import { asBrokerId, type CellId } from '../../src/base/ids.ts'
import type { Region } from '../../src/base/region.ts'
import type { BrokerRings } from '../../src/broker/broker-link.ts'
import { brokerPeer, type ControlPort } from '../../src/link/ports.ts'
import { newRegion } from '../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../src/shared/ring-layout.ts'
import { RingReader } from '../../src/shared/ring-reader.ts'
import { RingWriter } from '../../src/shared/ring-writer.ts'

const RING_BYTES = 64 * 1024

export class PeerRings {
  readonly #cellId: CellId
  readonly #brokers: number
  readonly #rings = new Map<string, Region>()

  constructor(cellId: CellId, brokers: number) {
    this.#cellId = cellId
    this.#brokers = brokers
  }

  /** As broker `own` holds them, whose port is `control`. */
  of(own: number, control: ControlPort): BrokerRings[] {
    const ids = Array.from({ length: this.#brokers }, (_, index) => index + 1)
    return ids.filter((id) => id !== own).map((id) => this.#to(own, id, control))
  }

  #to(own: number, peer: number, control: ControlPort): BrokerRings {
    let bufferId = 0
    return {
      broker: asBrokerId(peer),
      to: new RingWriter(this.#ring(own, peer)),
      from: new RingReader(this.#ring(peer, own)),
      bell: { ring: () => {} },
      sendBuffer: (bytes) => {
        const sab = new SharedArrayBuffer(bytes.length)
        new Uint8Array(sab).set(bytes)
        const message = { kind: 'batch-buffer', bufferId: ++bufferId, sab } as const
        control.post(brokerPeer(this.#cellId, asBrokerId(peer)), message)
        return bufferId
      },
    }
  }

  #ring(from: number, to: number): Region {
    const name = `${from} to ${to}`
    const ring = this.#rings.get(name) ?? formatRing(newRegion(ringBytes(RING_BYTES)))
    this.#rings.set(name, ring)
    return ring
  }
}
