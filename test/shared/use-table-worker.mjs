// The writing thread of use-table.test.ts, run from compiled output: one row, handed from tenant to tenant for as long as it lives.
import { workerData } from 'node:worker_threads'

const { UseTableWriter } = await import(new URL('use-table.js', workerData.lib).href)
const writer = new UseTableWriter(workerData.region, 0)
for (let n = 1; ; n = (n % 1_000) + 1) {
  const tenantId = `80000000${n.toString(16).padStart(8, '0')}`
  writer.give(3, tenantId, 1)
  writer.values(3).fill(n)
  writer.takeBack(3)
}
