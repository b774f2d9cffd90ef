/** What all processes of a broker use together, from /proc; NaN where there is none. */
import { readdirSync } from 'node:fs'
import { cpuSeconds, rssBytes } from '../common/usage.ts'
import type { Broker } from './broker.ts'

const sum = (values: readonly (number | null)[]): number =>
  values.reduce<number>((total, value) => total + (value ?? Number.NaN), 0)

export const cpuSecondsOf = ({ pids }: Pick<Broker, 'pids'>): number => sum(pids.map(cpuSeconds))

export const rssBytesOf = ({ pids }: Pick<Broker, 'pids'>): number => sum(pids.map(rssBytes))

export function openFilesOf({ pids }: Pick<Broker, 'pids'>): number {
  return sum(
    pids.map((pid) => {
      try {
        return readdirSync(`/proc/${pid}/fd`).length
      } catch {
        return null
      }
    }),
  )
}
