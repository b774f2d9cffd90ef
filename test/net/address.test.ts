import { describe, expect, test } from 'vitest'
import {
  canonicalHost,
  formatHostPort,
  hostsOverlap,
  isLoopback,
  isUnspecified,
  localHostOf,
} from '../../src/net/address.ts'

test('an address has one spelling', () => {
  expect(['LocalHost', '0:0::1', '::FFFF:127.0.0.1', 'fe80:0::1%eth0'].map(canonicalHost)).toEqual([
    'localhost',
    '::1',
    '127.0.0.1',
    'fe80::1%eth0',
  ])
  expect(formatHostPort({ host: '::1', port: 9092 })).toBe('[::1]:9092')
  expect(formatHostPort({ host: 'a', port: 1 })).toBe('a:1')
})

test('loopback is what only this machine reaches', () => {
  for (const host of ['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1', 'localhost']) {
    expect(isLoopback(host), host).toBe(true)
  }
  const others = ['0.0.0.0', '::', '128.0.0.1', '10.0.0.1', '127.example.org', '::ffff:10.0.0.1']
  for (const host of others) expect(isLoopback(host), host).toBe(false)
})

test('what stands for every address is reached at loopback', () => {
  expect(['0.0.0.0', '::', '0::0', '10.0.0.1'].map(isUnspecified)).toEqual([
    true,
    true,
    true,
    false,
  ])
  expect(['0.0.0.0', '::', '10.0.0.1'].map(localHostOf)).toEqual(['127.0.0.1', '::1', '10.0.0.1'])
})

describe('two hosts overlap', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '127.0.0.2', false],
    ['0.0.0.0', '127.0.0.1', true],
    ['0.0.0.0', 'example.org', true],
    ['0.0.0.0', '::1', false],
    ['::', '127.0.0.1', true],
    ['::', '0.0.0.0', true],
    ['localhost', '127.0.0.1', true],
    ['localhost', '::1', true],
    ['localhost', '10.0.0.1', false],
    ['::1', '0:0::1', true],
    ['a.example', 'A.EXAMPLE', true],
    ['a.example', 'b.example', false],
  ])('%s and %s: %s', (a, b, overlap) => {
    expect([hostsOverlap(a, b), hostsOverlap(b, a)]).toEqual([overlap, overlap])
  })
})
