/**
 * Which row of the counter table is whose: brokers' own rows first, then the rows of the tenant `default` at each broker.
 * Other tenants' rows will be given out by message, with the tenants themselves.
 */
import { BROKERS_MAX } from './options.ts'

/** The row of a broker as a whole. */
export const brokerRow = (brokerId: number): number => brokerId - 1

/** The row of the default tenant at a broker. */
export const defaultTenantRow = (brokerId: number): number => BROKERS_MAX + brokerId - 1

export const COUNTER_ROWS = 2 * BROKERS_MAX
