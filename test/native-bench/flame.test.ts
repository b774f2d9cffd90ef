import { describe, expect, test } from 'vitest'
import { boxesOf, flameSvg } from '../../native-bench/flame/flame-svg.ts'
import { type Frame, foldSamples, parseSamples } from '../../native-bench/flame/folded.ts'

const SCRIPT = `   4711 
\tffffffff81a5 tcp_sendmsg+0x1f ([kernel.kallsyms])
\t    7f1a2b3c uv__write+0x44 (/usr/bin/node)
\t    7f0000aa LazyCompile:*doWork /somewhere/griot.cjs:12:3 (/tmp/perf-4711.map)

   4711 
\t    7f0000ab LazyCompile:*doWork /somewhere/griot.cjs:12:3 (/tmp/perf-4711.map)

   4715 
\t    7f0000cc v8::internal::Heap::Scavenge(int)+0x8 (/usr/bin/node)
\t    7f0000bb JS:^runDutyCycle /somewhere/broker.cjs:9:1 (/tmp/perf-4711.map)

   4715 
\t    7f0000dd [unknown] (/usr/lib/libc.so.6)

   4720 
\t    7f0000ee start_thread+0x1 (/usr/lib/libc.so.6)
`

/** As lines of name and samples, by depth. */
const drawn = (frame: Frame, depth = 0): string[] => [
  `${'  '.repeat(depth)}${frame.name} ${frame.kind} ${frame.samples}`,
  ...[...frame.children.values()].flatMap((child) => drawn(child, depth + 1)),
]

describe('a flame graph', () => {
  const root = foldSamples(parseSamples(SCRIPT), 4711)

  test('has each sample under its callers, and its thread by what that does', () => {
    expect(drawn(root)).toEqual([
      'all threads thread 5',
      '  Kafka front thread 2',
      '    doWork griot.cjs:12:3 js 2',
      '      uv__write native 1',
      '        tcp_sendmsg kernel 1',
      '  brokers thread 2',
      '    runDutyCycle broker.cjs:9:1 js 1',
      '      v8::internal::Heap::Scavenge native 1',
      '    [libc.so.6] native 1',
      '  other threads thread 1',
      '    start_thread native 1',
    ])
  })

  test('lays what is called on its caller, as wide as its samples', () => {
    const boxes = boxesOf(root)
    const of = (name: string) => boxes.find(({ frame }) => frame.name === name)!
    expect(of('all threads')).toMatchObject({ depth: 0, x: 0, width: 1 })
    expect(of('brokers')).toMatchObject({ depth: 1, x: 0.4, width: 0.4 })
    expect(of('runDutyCycle broker.cjs:9:1')).toMatchObject({ depth: 2, x: 0.4, width: 0.2 })
    expect(of('other threads')).toMatchObject({ depth: 1, width: 0.2 })
    expect(of('other threads').x).toBeCloseTo(0.8)
  })

  test('leaves out what nobody could see, and escapes names', () => {
    const few = Array.from({ length: 999 }, () => '   1 \n\t1 often+0x1 (/x)\n').join('\n')
    const rare = '\n   1 \n\t1 operator<<&+0x1 (/x)\n'
    const large = foldSamples(parseSamples(few + rare), 1)
    expect(boxesOf(large).map(({ frame }) => frame.name)).not.toContain('operator<<&')
    const svg = flameSvg(foldSamples(parseSamples(rare), 1), 'a <title>')
    expect(svg).toContain('operator&#60;&#60;&#38;, 100.0 %')
    expect(svg).toContain('a &#60;title&#62;')
  })

  test('is empty without samples', () => {
    expect(foldSamples(parseSamples('no such process\n'), 1).samples).toBe(0)
  })
})
