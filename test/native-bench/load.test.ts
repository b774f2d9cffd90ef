/** What a run promises, with workloads run against a real engine. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OwnEngine, startEngine } from '../../native-bench/common/engine.ts'
import { resultHtml } from '../../native-bench/load/html.ts'
import { type Progress, runWorkload } from '../../native-bench/load/run-workload.ts'
import { saved } from '../../native-bench/load/saved.ts'
import { parseWorkload, type Workload } from '../../native-bench/load/workload.ts'
import { readWorkload } from '../../native-bench/load/workload-files.ts'
import { withClient } from '../../native-bench/peers/cluster.ts'
import { expectSameCounts, kept } from './load-counts.ts'

let engine: OwnEngine
beforeAll(async () => {
  engine = await startEngine()
})
afterAll(() => engine.stop())

const quick = { warmupSeconds: 0.2, measureSeconds: 0.8 }
const run = (workload: Workload, more: object = {}) =>
  runWorkload(workload, { bootstrap: engine.bootstrap, ...quick, ...more })

describe('against an engine', () => {
  test.each(['gzip', 'snappy', 'lz4', 'zstd'])('end to end with %s, in sequence', async (codec) => {
    const sets = [`produce.compression=${codec}`, 'produce.idempotence=true', 'produce.inFlight=5']
    const workload = readWorkload('end-to-end-open', [...sets, 'produce.rate=1600'])
    const result = await run(workload, { keep: true })
    await expectSameCounts(engine.bootstrap, workload, result)
    expect(result.produced!.wireBytes).toBeLessThan(result.produced!.bytes)
    const { count, max } = result.consumed!.latencyUs!
    // 100 batches a second, whose times are the schedule's
    expect(count).toBeGreaterThan(70)
    expect(count).toBeLessThan(90)
    expect(max).toBeLessThan(20e6)
  })

  test('large batches with times and sequences, from copies that wait for their answers', async () => {
    const set = ['produce.recordsPerBatch=100', 'produce.inFlight=5', 'produce.idempotence=true']
    const workload = readWorkload('end-to-end-open', [...set, 'produce.rate=null'])
    await expectSameCounts(engine.bootstrap, workload, await run(workload, { keep: true }))
  })

  test('acks 0 has no latency, and the topics of an earlier run are used again', async () => {
    const workload = parseWorkload(
      { name: 'x', topics: {}, produce: { acks: 0, rate: 100 } },
      'x.json',
    )
    const first = await run(workload, { keep: true })
    expect(first.produced!.latencyUs).toBeNull()
    expect(first.created).not.toBeNull()
    const second = await run(workload, { prefix: first.prefix })
    expect(second.created).toBeNull()
    const { records } = first.produced!.total
    expect(await kept(engine.bootstrap, workload.topics[0]!, first.prefix)).toBe(
      records + second.produced!.total.records,
    )
  })

  test('a run that is stopped, or refused, leaves no topics', async () => {
    const phases: string[] = []
    const stop = new AbortController()
    const onProgress = ({ phase }: Progress) => {
      phases.push(phase)
      if (phase === 'measure') stop.abort(new Error('enough'))
    }
    const workload = readWorkload('tiny-batches')
    const more = { measureSeconds: 60, signal: stop.signal, onProgress }
    await expect(run(workload, more)).rejects.toThrow('enough')
    expect(phases.at(-1)).toBe('clean-up')
    expect(await benchTopics()).toEqual([])
    const refused = readWorkload('tiny-batches', ['topics.configs={"max.message.bytes":"100"}'])
    await expect(run(refused)).rejects.toThrow(
      'produce: Produce to the topics of main was answered with MESSAGE_TOO_LARGE',
    )
    const nowhere = { bootstrap: '127.0.0.1:1' }
    await expect(run(workload, nowhere)).rejects.toThrow('127.0.0.1:1: connect ECONNREFUSED')
  })

  test.each([0, 60])(
    'one that is stopped after %i ms of making topics makes no load',
    async (ms) => {
      const phases = new Set<string>()
      const stop = new AbortController()
      const onProgress = ({ phase }: Progress) => {
        phases.add(phase)
        if (phase !== 'topics') return
        if (ms === 0) stop.abort(new Error('enough'))
        else setTimeout(() => stop.abort(new Error('enough')), ms)
      }
      const workload = readWorkload('many-partitions', ['topics.count=450'])
      await expect(run(workload, { signal: stop.signal, onProgress })).rejects.toThrow('enough')
      expect([...phases]).toEqual(['topics', 'clean-up'])
      expect(await benchTopics()).toEqual([])
    },
  )

  test('the report is a whole document, with what was measured', async () => {
    const workload = readWorkload('end-to-end-closed', ['description="<b>&"'])
    const html = resultHtml(saved(await run(workload), 'griot-bench run "x" <y>'))
    expect(unclosed(html)).toEqual([])
    expect(html.match(/<polyline/g)).toHaveLength(4)
    expect(html).not.toContain('<b>')
    expect(html).not.toMatch(/NaN|Infinity|undefined/)
    expect(unclosed('<p><a href="x">y</p>')).not.toEqual([])
  })
})

/** Of runs that have ended and were to leave none. */
async function benchTopics(): Promise<string[]> {
  return await withClient(engine.bootstrap, async (client) => {
    const { topics } = await client.metadata(null)
    return topics.map(({ name }) => name).filter((name) => name.startsWith('griot-bench-'))
  })
}

/** Tags without their other half. */
function unclosed(html: string): string[] {
  const open: string[] = []
  const wrong: string[] = []
  for (const [, isEnd, name, rest] of html.matchAll(/<(\/?)([a-z]\w*)([^<>]*)>/g)) {
    if (!isEnd && !rest!.endsWith('/')) open.push(name!)
    else if (isEnd && open.pop() !== name) wrong.push(name!)
  }
  return [...wrong, ...open]
}
