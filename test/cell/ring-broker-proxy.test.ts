/** What a broker is sent on behalf of one tenant while another has more for it than it is given. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { asBrokerId, asCellId, asPartitionNumber } from '../../src/base/ids.ts'
import { RingBrokerProxy } from '../../src/cell/ring-broker-proxy.ts'
import { Waiter } from '../../src/cell/watch-table.ts'
import { CommandType } from '../../src/link/commands.ts'
import { brokerPeer, MemoryPorts } from '../../src/link/ports.ts'
import { newRegion } from '../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../src/shared/ring-layout.ts'
import { RingReader } from '../../src/shared/ring-reader.ts'
import { RingWriter } from '../../src/shared/ring-writer.ts'

const [CELL, BROKER] = [asCellId(1), asBrokerId(1)]
const [BUSY, QUIET] = [asPartitionNumber(1), asPartitionNumber(2)]

class Reader extends Waiter {
  onWoken(): void {}
}

test('a watch of one tenant does not wait for batches of another that are held back', () => {
  const commands = formatRing(newRegion(ringBytes(4 << 20)), 0)
  const peer = brokerPeer(CELL, BROKER)
  const ports = new MemoryPorts()
  ports.port(peer)
  const proxy = new RingBrokerProxy({
    ...{ cellId: CELL, brokerId: BROKER, peer, control: ports.port('front-0') },
    commands: new RingWriter(commands),
    replies: new RingReader(formatRing(newRegion(ringBytes(1 << 16)), 0)),
    ...{ bell: { ring: () => {} }, clock: new ManualClock() },
    tenantOf: (partition) => (partition === BUSY ? 'busy' : 'quiet'),
  })
  const sink = { onProduced: () => {} }
  proxy.produce(QUIET, 1, new Uint8Array(100), sink, 0)
  for (let i = 0; i < 20; i++) proxy.produce(BUSY, 1, new Uint8Array(100_000), sink, 0)
  expect(proxy.parkedCommands).toBeGreaterThan(0)
  proxy.watch(QUIET, 7, new Reader())
  proxy.doWork(0)
  proxy.flush()
  expect(proxy.parkedCommands).toBeGreaterThan(0)
  const types: number[] = []
  new RingReader(commands).poll({ onRecord: (type) => void types.push(type) }, 100)
  expect(types).toContain(CommandType.WATCH)
})
