/** What a broker's thread shares with the other brokers of its cell. On its thread. */
import { copyBytes } from '../base/copy.ts'
import { asBrokerId, asCellId, type BrokerId } from '../base/ids.ts'
import type { BrokerRings } from '../broker/broker-link.ts'
import type { BrokerBack } from '../link/control.ts'
import { brokerPeer, type ControlPort, type PolledPorts } from '../link/ports.ts'
import { DoorbellRinger } from '../shared/doorbell.ts'
import { RingReader } from '../shared/ring-reader.ts'
import { RingWriter } from '../shared/ring-writer.ts'
import { brokerBells, type ThreadData } from './thread.ts'
import { brokerIds, CELL, type EngineWiring } from './wiring.ts'

/** The rings to and from every other broker. */
export function brokerRings({ wiring, thread }: ThreadData, control: ControlPort): BrokerRings[] {
  const own = thread.brokerId - 1
  return brokerIds(wiring.peers.length)
    .filter((broker) => broker !== thread.brokerId)
    .map((broker) => {
      const writes = wiring.peers[own]![broker - 1]!
      const reads = wiring.peers[broker - 1]![own]!
      return ringsOf(wiring, broker, { writes, reads }, control)
    })
}

/** A peer's thread has a successor, which shares other rings and another channel with us. */
export function connectSuccessor(
  wiring: EngineWiring,
  message: BrokerBack,
  control: PolledPorts,
): BrokerRings {
  const broker = asBrokerId(message.brokerId)
  const name = brokerPeer(asCellId(message.cellId), broker)
  const rings = ringsOf(wiring, broker, message, control)
  control.disconnect(name)
  control.connect({ name, port: message.port!, bell: rings.bell })
  return rings
}

function ringsOf(
  wiring: EngineWiring,
  broker: BrokerId,
  { writes, reads }: Pick<BrokerBack, 'writes' | 'reads'>,
  control: ControlPort,
): BrokerRings {
  const peer = brokerPeer(CELL, broker)
  let bufferId = 0
  return {
    broker,
    to: new RingWriter(writes),
    from: new RingReader(reads),
    bell: new DoorbellRinger(brokerBells(wiring)[broker - 1]!),
    sendBuffer: (bytes) => {
      bufferId = (bufferId % 0xffff_ffff) + 1
      const sab = new SharedArrayBuffer(bytes.length)
      copyBytes(new Uint8Array(sab), 0, bytes)
      control.post(peer, { kind: 'batch-buffer', bufferId, sab })
      return bufferId
    },
  }
}
