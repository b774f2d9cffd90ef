import { systemClock } from '../../src/base/clock.ts'
import { HeldBytes } from '../../src/net/held-bytes.ts'
import { InFlightBudget } from '../../src/net/in-flight.ts'
import { Owners } from '../../src/net/owner.ts'
import { OWNER_COUNTS, OwnerCount } from '../../src/net/owner-counts.ts'
import { ReadTurns } from '../../src/net/read-turns.ts'
import { ReplyBudget } from '../../src/net/reply-budget.ts'
import {
  CounterReader,
  type CounterShape,
  CounterWriter,
  counterTableBytes,
  formatCounterTable,
} from '../../src/shared/counter-table.ts'
import { newRegion } from '../../src/shared/region.ts'
import type { Subject } from './case.ts'

const TENANTS = 1000
const REQUEST_BYTES = 600
const REPLY_BYTES = 100
const shape: CounterShape = { threads: 4, rows: 1 + 2 * TENANTS, kinds: OWNER_COUNTS }

/** What a request and its reply cost in counters of their tenant, and in shares of memory and time: of a thousand tenants in turn. */
export function accountingSubject(): Subject {
  const table = formatCounterTable(newRegion(counterTableBytes(shape)), shape)
  const writer = new CounterWriter(table, 0)
  const reader = new CounterReader(table)
  const owners = new Owners(() => true)
  const turns = new ReadTurns(systemClock, owners.strangers)
  const budget = new InFlightBudget(2 ** 30)
  const replies = new ReplyBudget(2 ** 30)
  const held = Array.from({ length: TENANTS }, (_, place) => {
    const owner = owners.create(writer.row(1 + 2 * place))
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
        name: 'one kind of a tenant summed over 4 threads',
        run: () => reader.sum(1 + 2 * (at = (at + 7) % TENANTS), OwnerCount.BYTES_IN),
      },
    ],
  }
}
