import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addMetricsRoute } from '../../src/admin/metrics-route.ts'
import { NamePatterns, selectTopics } from '../../src/admin/topic-selection.ts'
import type { MetadataView } from '../../src/image/view.ts'
import type { HttpHandler, HttpRequest } from '../../src/net/http-interface.ts'
import { HttpRouter } from '../../src/net/http-router.ts'
import { parseMetrics } from '../server/prometheus-text.ts'

const openToAll = (handler: HttpHandler) => handler
const patterns = (...given: string[]) =>
  NamePatterns.of(
    new URLSearchParams(given.map((text): [string, string] => ['topics', text])),
    'topics',
  )!

describe('patterns', () => {
  test.each([
    ['orders', 'orders', true],
    ['orders', 'orders2', false],
    ['orders*', 'orders', true],
    ['*', '', true],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'acb', false],
    ['*.dlq', 'orders.dlq', true],
    ['.', 'x', false],
  ])('%s and %s: %s', (pattern, name, is) => {
    expect(patterns(pattern).matches(name)).toBe(is)
  })

  test('agree with a regular expression', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 })
    fc.assert(
      fc.property(text, text, (pattern, name) => {
        fc.pre(pattern !== '')
        const escaped = pattern.replaceAll('.', '\\.').replaceAll('*', '.*')
        expect(patterns(pattern).matches(name)).toBe(new RegExp(`^${escaped}$`).test(name))
      }),
    )
  })

  test('are none without the parameter, bounded, and refused by name when empty', () => {
    expect(NamePatterns.of(new URLSearchParams('groups=a'), 'topics')).toBeNull()
    expect(() => patterns(',')).toThrow('topics is empty')
    expect(() => patterns(Array.from({ length: 101 }, (_, i) => i).join())).toThrow(
      'topics has 101 names, at most 100 are taken',
    )
  })
})

test('whole topics up to the bound, the others are counted', () => {
  const topic = (name: string, partitionCount: number) => ({ name, partitionCount })
  const image = {
    tenants: () => [{ tenantId: 'one', name: 'one' }],
    topics: () => [topic('a', 3), topic('b', 4), topic('c', 2), topic('x', 1)],
  } as unknown as MetadataView
  const { topics, leftOut } = selectTopics(image, patterns('a', 'b', 'c'), 5)
  expect([topics.map(({ topic: { name } }) => name), leftOut]).toEqual([['a', 'c'], 1])
})

test('no label value can break the text', async () => {
  const evil = ['"} 1\nevil_total 7', '\\', '\\n', 'a\\"b', '\n', '\r\n', '{},="', '\u2028é😀']
  const anything = fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed())
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.oneof(anything, fc.constantFrom(...evil))),
      async (names) => {
        const router = new HttpRouter()
        addMetricsRoute(router, [], openToAll, async () => [
          {
            ...{ kind: 'gauge', name: 'lag', help: 'a "help" with \\ and\nmore' },
            read: () => names.map((name, value) => ({ labels: { group: name }, value })),
          },
        ])
        const query = new URLSearchParams('groups=*')
        const request = { method: 'GET', path: '/metrics', query } as HttpRequest
        const { body } = await router.handle(request)
        const series = parseMetrics(String(body))
        expect(series.map(({ labels }) => labels.group)).toEqual(names)
      },
    ),
  )
})

test('scrapes with a query are bounded at a time', async () => {
  const router = new HttpRouter()
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  addMetricsRoute(router, [], openToAll, async () => {
    await held
    return []
  })
  const query = new URLSearchParams('topics=*')
  const ask = () => router.handle({ method: 'GET', path: '/metrics', query } as HttpRequest)
  const four = Array.from({ length: 4 }, ask)
  expect(await ask()).toMatchObject({ status: 503, headers: { 'retry-after': '1' } })
  release()
  for (const answer of await Promise.all(four)) expect(answer.status).toBe(200)
  expect(await ask()).toMatchObject({ status: 200 })
})
