/**
 * Which row of the counter table is whose: one in which each thread counts what concerns itself, one per broker, and for what
 * tenants do one for what is no broker's and one for each broker, in which all tenants count: 520 kinds for each of thousands
 * would be gigabytes. What each tenant uses is counted beside that, in a table of few kinds.
 */
import { BROKERS_MAX } from './options.ts'

/** Each thread's own: in its own stripe, so that they do not meet. */
export const THREAD_ROW = 0

/** The row of a broker as a whole. */
export const brokerRow = (brokerId: number): number => brokerId

const TENANTS_FROM = 1 + BROKERS_MAX
const ROWS_PER_TENANT = 1 + BROKERS_MAX

/** The row of the tenant in `place` at a broker; broker 0: what is no broker's. */
const tenantRow = (place: number, brokerId: number): number =>
  TENANTS_FROM + place * ROWS_PER_TENANT + brokerId

/** The row of the default tenant at a broker, 0 for none. */
export const defaultTenantRow = (brokerId: number): number => tenantRow(0, brokerId)

/** The rows of all tenants at a broker, 0 for none: to be summed. */
export const tenantRows = (brokerId: number): readonly number[] => [defaultTenantRow(brokerId)]

export const COUNTER_ROWS = TENANTS_FROM + ROWS_PER_TENANT

/** Rows of each thread in the table of use: of a tenant, at a front of a tenant and of each broker that it reads from; those that find none share one. */
export const USE_ROWS = 8_192
