import { systemClock } from '../../src/base/clock.ts'
import { asBrokerId, asTenantId } from '../../src/base/ids.ts'
import { BrokerUse, type Worked } from '../../src/broker/broker-use.ts'
import { MetadataImage } from '../../src/image/image.ts'
import { TenantUse } from '../../src/link/tenant-use.ts'
import { USE_KINDS } from '../../src/link/use-kinds.ts'
import { HeldBytes } from '../../src/net/held-bytes.ts'
import { InFlightBudget } from '../../src/net/in-flight.ts'
import { Owners } from '../../src/net/owner.ts'
import { OwnerCount } from '../../src/net/owner-counts.ts'
import { ReadTurns } from '../../src/net/read-turns.ts'
import { ReplyBudget } from '../../src/net/reply-budget.ts'
import { newRegion } from '../../src/shared/region.ts'
import {
  formatUseTable,
  type UseShape,
  UseTableReader,
  UseTableWriter,
  useTableBytes,
} from '../../src/shared/use-table.ts'
import type { Subject } from './case.ts'

const TENANTS = 1000
const REQUEST_BYTES = 600
const REPLY_BYTES = 100
const shape: UseShape = { threads: 4, rows: 2 + 2 * TENANTS, kinds: USE_KINDS, brokers: 1 }
const tenantIds = Array.from({ length: TENANTS }, (_, n) =>
  asTenantId((2 ** 40 + n).toString(16).padStart(16, '0')),
)

/** What a request and its reply cost in counters of their tenant, and in shares of memory and time: of a thousand tenants in turn. */
export function accountingSubject(): Subject {
  const table = formatUseTable(newRegion(useTableBytes(shape)), shape)
  const use = new TenantUse(new UseTableWriter(table, 0))
  const reader = new UseTableReader(table)
  const replicas = tenantIds.map((tenantId): Worked => ({ topic: { tenantId }, used: null }))
  const broker = brokerUse(new UseTableWriter(table, 1))
  const owners = new Owners(() => true)
  const turns = new ReadTurns(systemClock, owners.strangers)
  const budget = new InFlightBudget(2 ** 30)
  const replies = new ReplyBudget(2 ** 30)
  const held = tenantIds.map((tenantId) => {
    const owner = owners.create(use.take(tenantId))
    return new HeldBytes(budget, replies, owner)
  })
  let at = 0
  const next = () => held[(at = (at + 7) % TENANTS)]!
  const count = (one: HeldBytes) => {
    const { owner } = one
    budget.hasRoom(REQUEST_BYTES, true, owner)
    one.reserve(REQUEST_BYTES)
    const bytes = one.begin()
    one.charge(REPLY_BYTES)
    one.answered(bytes)
    owner.counts[OwnerCount.BYTES_OUT]! += REPLY_BYTES
    one.charge(-REPLY_BYTES)
  }
  return {
    cases: [
      { name: 'a request and its reply counted as their tenant’s', run: () => count(next()) },
      {
        name: 'a read timed and counted likewise',
        run: () => {
          const { owner } = next()
          turns.begin(owner)
          turns.hasRead(owner, REQUEST_BYTES)
          turns.end(owner)
          if (at === 0) turns.renew()
        },
      },
      {
        name: 'the clock read twice',
        run: () => systemClock.monotonicMs() + systemClock.monotonicMs(),
      },
      {
        name: 'a batch counted and timed by a broker, of a thousand tenants in turn',
        run: () => batchOf(broker, replicas[(at = (at + 7) % TENANTS)]!),
      },
      {
        name: 'the same of one tenant',
        run: () => batchOf(broker, replicas[7]!),
      },
      {
        name: 'what two threads count of a thousand tenants, read',
        run: () => reader.each(() => {}),
      },
    ],
  }
}

function brokerUse(rows: UseTableWriter): BrokerUse {
  const image = new MetadataImage()
  return new BrokerUse({ rows, brokerId: asBrokerId(1), clock: systemClock, image })
}

/** As its command is taken, as it is written with those of other partitions, and as it is acknowledged. */
function batchOf(use: BrokerUse, replica: Worked): void {
  use.turnTo(replica)
  use.came(REQUEST_BYTES)
  use.turnTo(replica)
  use.hold(replica, REQUEST_BYTES)
  use.commandDone()
  use.turnTo(replica)
  use.hold(replica, -REQUEST_BYTES)
}
