import { expect, test } from 'vitest'
import { resolveEmbedded } from '../../src/server/embedded-options.ts'
import { settingsHints } from '../../src/server/settings-hints.ts'

const hintsOf = (options: Parameters<typeof resolveEmbedded>[0]) =>
  settingsHints(resolveEmbedded(options, '/tmp/x'))

test('more replicas than brokers, and racks of some brokers alone, are told at the start', () => {
  expect(hintsOf({ brokers: 3 })).toEqual([])
  expect(hintsOf({ brokers: 1 })).toEqual([])
  const brokerConfig = { 'default.replication.factor': '5' }
  expect(hintsOf({ brokers: 3, brokerConfig })).toEqual([
    expect.stringMatching(/^default\.replication\.factor is 5, and there are 3 brokers: /),
  ])
  expect(hintsOf({ brokers: 5, brokerConfig })).toEqual([])
  expect(hintsOf({ brokers: 3, rack: '1=a,2=b,3=c' })).toEqual([])
  expect(hintsOf({ brokers: 4, rack: '1=a,3=b' })).toEqual([
    expect.stringMatching(/--rack names none for 2, 4$/),
  ])
})
