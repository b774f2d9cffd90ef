import { asBrokerId, asPartitionNumber } from '../../src/base/ids.ts'
import { BrokerLink, type RaftSink } from '../../src/broker/broker-link.ts'
import { type Append, NO_PLACE } from '../../src/link/raft-messages.ts'
import type { Message } from '../../src/raft/types.ts'
import { newRegion } from '../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../src/shared/ring-layout.ts'
import { RingReader } from '../../src/shared/ring-reader.ts'
import { RingWriter } from '../../src/shared/ring-writer.ts'
import type { Case, Subject } from './case.ts'

const PARTITION = asPartitionNumber(7)

const APPEND: Append = {
  ...{ type: 'append', from: 1, to: 2, term: 3, start: 1_000, previousTerm: 3 },
  ...{ end: 1_010, lines: [{ term: 3, start: 1_000 }], controls: [], commit: 990 },
}

const REPLY: Extract<Message, { type: 'append-reply' }> = {
  ...{ type: 'append-reply', from: 2, to: 1, term: 3 },
  ...{ end: 1_010, isRefused: false, lastTerm: 3, commit: 990 },
}

/** What two brokers say to each other for each batch of a replicated partition, both ends on one thread, without the wake-up. */
export function brokerLinkSubject(): Subject {
  const [there, back] = [0, 1].map(() => formatRing(newRegion(ringBytes(256 * 1024))))
  const link = (broker: number, to: typeof there, from: typeof there) =>
    new BrokerLink({
      broker: asBrokerId(broker),
      to: new RingWriter(to!),
      from: new RingReader(from!),
      bell: { ring: () => {} },
      sendBuffer: () => 1,
    })
  const leader = link(2, there, back)
  const follower = link(1, back, there)
  let seen = 0
  const sink: RaftSink = {
    onRaft: (_from, { message }) => {
      seen += message.term
    },
  }
  const append: Case = {
    name: 'append, one line',
    run: () => {
      leader.append(PARTITION, APPEND, NO_PLACE)
      if (follower.poll(sink, 1) !== 1) throw new Error('the ring lost a record')
      return seen
    },
  }
  const reply: Case = {
    name: 'append-reply',
    run: () => {
      follower.send(PARTITION, REPLY)
      if (leader.poll(sink, 1) !== 1) throw new Error('the ring lost a record')
      return seen
    },
  }
  return { cases: [append, reply] }
}
