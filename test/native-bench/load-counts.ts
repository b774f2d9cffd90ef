/** What both sides of a run counted, compared. */
import { expect } from 'vitest'
import { Cluster, LATEST } from '../../native-bench/load/cluster.ts'
import { topicNames } from '../../native-bench/load/plan.ts'
import type { WorkloadResult } from '../../native-bench/load/result.ts'
import type { Workload } from '../../native-bench/load/workload.ts'

/** Records that the broker has, over all topics of a set, which are then removed. */
export async function kept(
  bootstrap: string,
  set: Workload['topics'][number],
  prefix: string,
): Promise<number> {
  const cluster = await Cluster.open(bootstrap)
  try {
    const names = topicNames(prefix, set)
    await cluster.waitForLeaders(names)
    const all = names.flatMap((topic) =>
      Array.from({ length: set.partitions }, (_, partition) => ({ topic, partition })),
    )
    const offsets = await cluster.offsets(all, LATEST)
    await cluster.remove(names)
    return [...offsets.values()].reduce((sum, offset) => sum + offset, 0)
  } finally {
    cluster.close()
  }
}

const groupNamed = (result: WorkloadResult, name: string) =>
  result.groups.find((group) => group.name === name)!

/** Of a run with `keep`; its topics are removed. */
export async function expectSameCounts(
  bootstrap: string,
  workload: Workload,
  result: WorkloadResult,
): Promise<void> {
  for (const set of workload.topics) {
    const total = (name: string) => groupNamed(result, name).total.records
    const made = workload.produce
      .filter(({ topic }) => topic === set.name)
      .reduce((sum, { name }) => sum + total(name), 0)
    const batchBytes = 1024 * 900
    const preloaded = Math.ceil(set.preloadBytes / batchBytes) * 900
    expect(await kept(bootstrap, set, result.prefix)).toBe(made + preloaded)
    for (const group of workload.consume.filter(({ topic }) => topic === set.name)) {
      const copies = group.assign === 'all' ? group.connections : 1
      if (group.rewind) expect(total(group.name)).toBeGreaterThanOrEqual(preloaded)
      else expect(total(group.name)).toBe(made * copies)
    }
  }
}
