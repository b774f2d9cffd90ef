import { describe, expect, test } from 'vitest'
import { parseDelimiter } from '../../src/cli/format-text.ts'
import { OutputBuffer } from '../../src/cli/output-buffer.ts'
import { compileFormat, jsonOf, printerFor } from '../../src/cli/output-format.ts'
import {
  cutRecords,
  type InputDefaults,
  readerOfJson,
  readerOfShape,
  shapeOfDelimiters,
  shapeOfFormat,
} from '../../src/cli/record-input.ts'
import type { ConsumedRecord } from '../../src/kafka-client/batches.ts'

const record: ConsumedRecord = {
  ...{ topic: 'orders', partition: 3, offset: 42, leaderEpoch: 7 },
  ...{ timestampMs: Date.UTC(2026, 0, 31, 12), timestampType: 'createTime' },
  key: Buffer.from('ada'),
  value: Buffer.from('hé'),
  headers: [
    { key: 'a', value: Buffer.from('1') },
    { key: 'b', value: null },
  ],
}

function print(format: string, changes: Partial<ConsumedRecord> = {}, nullText = ''): string {
  const out = new OutputBuffer()
  compileFormat(format, { nullText })({ ...record, ...changes }, out)
  return out.take().toString('latin1')
}

const utf8 = (text: string) => Buffer.from(text, 'latin1').toString()

describe('consume -f', () => {
  test('knows the tokens of kcat and rpk', () => {
    expect(utf8(print('%t/%p@%o %k=%v (%K,%S)\\n'))).toBe('orders/3@42 ada=hé (3,3)\n')
    expect(utf8(print('%s %V %H [%h] %T %d %e %%'))).toBe(
      'hé 3 2 [a=1,b=NULL] 1769860800000 1769860800000 7 %',
    )
    expect(print('%R%s')).toBe('\0\0\0\x03h\xc3\xa9')
    expect(print('%v{hex} %k{base64} %T{iso} %T{s}')).toBe(
      '68c3a9 YWRh 2026-01-31T12:00:00.000Z 1769860800',
    )
  })

  test('escapes, braces, and null', () => {
    expect(print('\\t\\x41\\\\\\r%{%}\\q')).toBe('\tA\\\r{}\\q')
    const none = { key: null, value: null }
    expect(print('[%k][%v][%K][%S]', none)).toBe('[][][-1][-1]')
    expect(print('[%k][%s][%v{hex}]', none, 'NULL')).toBe('[NULL][NULL][NULL]')
    expect(print('%R', none)).toBe('\xff\xff\xff\xff')
  })

  test('prints bytes as they are, also large ones', () => {
    const value = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i & 255))
    expect(print('%v', { value })).toBe(value.toString('latin1'))
  })

  test.each([
    ['%x', 'there is no %x'],
    ['%v{oct}', '%v takes {hex} or {base64}'],
    ['%p{hex}', '%p takes no braces'],
    ['50%', '"%" at the end'],
    ['x\\', '"\\" at the end'],
    ['jsn', 'did you mean json?'],
  ])('refuses "%s"', (format, message) => {
    expect(() => printerFor(format, {})).toThrow(message)
  })
})

test('JSON has text as text and the rest as base64', () => {
  expect(jsonOf({ ...record, key: Buffer.of(0xff, 0), value: null })).toEqual({
    ...{ topic: 'orders', partition: 3, offset: 42, timestamp: 1769860800000 },
    ...{ timestampType: 'createTime', key: '/wA=', keyEncoding: 'base64', value: null },
    headers: [
      { key: 'a', value: '1' },
      { key: 'b', value: null },
    ],
  })
  expect(jsonOf(record, true)).toEqual({
    ...{ topic: 'orders', partition: 3, offset: 42, timestamp: 1769860800000 },
    ...{ timestampType: 'createTime', keyBytes: 3, valueBytes: 3 },
  })
})

const defaults: InputDefaults = {
  ...{ topic: 'orders', partition: null, key: null, headers: [], emptyIsNull: false },
}

async function cut(text: string, end: string, step: number): Promise<string[]> {
  async function* chunks() {
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
  }
  const records: string[] = []
  for await (const bytes of cutRecords(chunks(), parseDelimiter(end)))
    records.push(bytes.toString())
  return records
}

describe('the input of produce', () => {
  test('is cut at its delimiter, wherever the stream is', async () => {
    const text = 'one\r\n\r\ntwo\rthree\r\nlast'
    for (let step = 1; step <= text.length; step++) {
      expect(await cut(text, '\\r\\n', step)).toEqual(['one', '', 'two\rthree', 'last'])
    }
    expect(await cut('a\n', '\\n', 5)).toEqual(['a'])
    expect(await cut('', '\\n', 5)).toEqual([])
  })

  const told = (format: string, text: string, change: Partial<InputDefaults> = {}) => {
    const read = readerOfShape(shapeOfFormat(format), { ...defaults, ...change })
    const { topic, partition, key, value, timestampMs } = read(Buffer.from(text), 1)
    const textOf = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString()
    return { topic, partition, key: textOf(key), value: textOf(value), timestampMs }
  }

  test('is read by its format', () => {
    expect(told('%v', 'a b')).toMatchObject({ topic: 'orders', key: null, value: 'a b' })
    expect(told('%k %v\\n', 'a b c')).toMatchObject({ key: 'a', value: 'b c' })
    expect(told('<%t/%p %T> %k\\t%v\\n', '<u/2 1769860800000> k\tv')).toEqual({
      ...{ topic: 'u', partition: 2, key: 'k', value: 'v', timestampMs: 1769860800000 },
    })
    expect(told('%k\\n', 'gone')).toMatchObject({ key: 'gone', value: null })
    expect(told('%k:%v', ':', { emptyIsNull: true })).toMatchObject({ key: null, value: null })
    expect(told('%k:%v', ':')).toMatchObject({ key: '', value: '' })
    expect(told('%v', 'x', { key: Buffer.from('k'), partition: 1 })).toMatchObject({
      ...{ key: 'k', partition: 1 },
    })
  })

  test('says which record is not as the format has it', () => {
    expect(() => told('%k:%v', 'none')).toThrow('record 1: has no ":" after its key')
    expect(() => told('<%v', 'none')).toThrow('record 1: does not begin with "<"')
    expect(() => told('%p %v', 'x y')).toThrow('record 1: partition "x" is no whole number')
    for (const bad of ['%k%v', 'none', '%x %v', '%v{hex}', '%v %s']) {
      expect(() => shapeOfFormat(bad)).toThrow('-f')
    }
  })

  test('with -K a line without it is all value, as in kcat', () => {
    const shape = shapeOfDelimiters(Buffer.from('::'), null)
    const read = readerOfShape(shape, defaults)
    expect(read(Buffer.from('a::b::c'), 1)).toMatchObject({
      ...{ key: Buffer.from('a'), value: Buffer.from('b::c') },
    })
    expect(read(Buffer.from('a:b'), 1)).toMatchObject({ key: null, value: Buffer.from('a:b') })
  })

  test('takes back what consume --json prints', () => {
    const read = readerOfJson({ ...defaults, topic: null })
    const binary = { ...record, key: Buffer.of(0xff, 0), value: null }
    for (const original of [record, binary]) {
      const again = read(Buffer.from(JSON.stringify(jsonOf(original))), 1)
      expect(again).toEqual({
        ...{ topic: 'orders', key: original.key, value: original.value },
        ...{ headers: original.headers, timestampMs: original.timestampMs },
      })
    }
    expect(read(Buffer.from('{"topic":"t","value":{"a":1}}'), 1).value!.toString()).toBe('{"a":1}')
    expect(() => read(Buffer.from('{"value":"x"}'), 4)).toThrow('record 4: has no topic')
    expect(() => read(Buffer.from('nonsense'), 5)).toThrow('record 5: ')
    expect(() => read(Buffer.from('[1]'), 6)).toThrow('record 6: is no JSON object')
  })
})
