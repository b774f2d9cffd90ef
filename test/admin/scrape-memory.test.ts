/** What scrapes with a query may take of the HTTP thread's heap. */
import { expect, test } from 'vitest'
import {
  type AskGroups,
  groupSources,
  SCRAPE_GROUP_NAME_CHARS_MAX,
} from '../../src/admin/group-metrics.ts'
import { addMetricsRoute, type MetricSource } from '../../src/admin/metrics-route.ts'
import type { MetadataView } from '../../src/image/view.ts'
import type { HttpRequest } from '../../src/net/http-interface.ts'
import { HttpRouter } from '../../src/net/http-router.ts'

const image = { tenantByName: () => undefined } as unknown as MetadataView

test('a group whose long name would stand in thousands of series is left out, others are told', async () => {
  const group = (groupId: string, offsets: number) => ({
    ...{ tenant: 'default', groupId, members: 1 },
    offsets: Array.from({ length: offsets }, (_, partition) => ({
      ...{ topic: 'orders', partition, offset: 1 },
    })),
  })
  const long = 'x'.repeat(1_024)
  const [fits, over] = [SCRAPE_GROUP_NAME_CHARS_MAX / 1_024 - 2, 5_000]
  const groups = [group(`${long.slice(1)}y`, over), group(long, fits), group('billing', 4)]
  const ask: AskGroups = async () => ({ groups, counts: [], leftOut: 2 })
  const sources = await groupSources(new URLSearchParams('groups=*'), image, ask, async () => [])
  const read = async (name: string) => {
    const source = sources.find((one) => one.name === name)! as MetricSource & { kind: 'gauge' }
    return [...(await source.read())]
  }
  expect(await read('kafka_consumergroup_current_offset')).toHaveLength(fits + 4)
  expect(await read('kafka_consumergroup_members')).toHaveLength(2)
  expect(await read('griot_metrics_groups_left_out')).toEqual([{ labels: {}, value: 3 }])
})

test('texts of scrapes that overlap are made one after the other', async () => {
  let [now, most] = [0, 0]
  const slow: MetricSource = {
    ...{ kind: 'gauge', name: 'slow', help: 'slow' },
    read: async () => {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setTimeout(resolve, 5))
      now--
      return [{ labels: {}, value: 1 }]
    },
  }
  const router = new HttpRouter()
  addMetricsRoute(
    router,
    [],
    (handler) => handler,
    async () => [slow],
  )
  const query = new URLSearchParams('topics=*')
  const scrape = () => router.handle({ method: 'GET', path: '/metrics', query } as HttpRequest)
  const statuses = (await Promise.all([scrape(), scrape(), scrape()])).map(({ status }) => status)
  expect([statuses, most]).toEqual([[200, 200, 200], 1])
})
