// Each test framework: the heading of its page, how its tests are written, and what it prints when they pass.

/** What checks.js is handed, as source text. */
const NODE = `{ existsSync, connect, get, hex: (text) => Buffer.from(text, 'hex') }`
const IMPORTS = `import assert from 'node:assert/strict'
import { existsSync, writeSync } from 'node:fs'
import { get } from 'node:http'
import { connect } from 'node:net'
import { Griot } from 'griot'
import { Kafka } from 'kafkajs'
`
const REQUIRES = IMPORTS.replaceAll(/import (.*) from ('.*')/g, 'const $1 = require($2)')
/** Past what a framework does with console.log. */
const PRINT = `const print = (text) => writeSync(2, text + '\\n')`

const checked = (frame, fake, real) => `${frame}
${PRINT}
const fake = () => { ${fake} }
const real = () => { ${real} }
const all = checks({ Griot, Kafka, assert, node: ${NODE}, fake, real, print })
for (const [name, check] of Object.entries(all)) test(name, check, 30_000)
`

const forgotten = (frame) => `${frame}
${PRINT}
test('an engine that nobody closes', async () => {
  const griot = await Griot.start()
  print('DATA_DIR ' + griot.dataDir)
})
`

const hanging = (frame) => `${frame}
${PRINT}
test('is interrupted', async () => {
  const griot = await Griot.start()
  print('DATA_DIR ' + griot.dataDir + ' ')
  await new Promise((resolve) => setTimeout(resolve, 60_000))
}, 70_000)
`

const asCommonJs = (checks) =>
  `${checks.replace('export function checks', 'function checks')}\nmodule.exports = { checks }\n`

/** Tests of checks.js, and the one that forgets close(). */
const EXTRA_TESTS = 7 + 1

const mustSay = (pattern, count) => (output, tests) => {
  const passed = pattern.exec(output)?.[1]
  if (Number(passed) !== tests + EXTRA_TESTS + (count ?? 0)) {
    throw new Error(`${passed} tests passed, not ${tests + EXTRA_TESTS + (count ?? 0)}\n${output}`)
  }
}

const vitest = (pool) => {
  const frame = `${IMPORTS}import { test, vi } from 'vitest'`
  return {
    name: `vitest, ${pool}`,
    heading: 'vitest',
    pin: (command) => command.replace('vitest run', `vitest run --pool ${pool}`),
    extra: (checks) => ({
      'checks.js': checks,
      'checks.test.js': checked(
        `${frame}\nimport { checks } from './checks.js'`,
        "vi.useFakeTimers(); vi.setSystemTime(new Date('2001-01-01'))",
        'vi.useRealTimers()',
      ),
      'forgotten.test.js': forgotten(frame),
      // TypeScript is compiled for any Node.js
      'scope.test.ts': `${frame}
${PRINT}
test('ends with its scope', async () => {
  let dataDir = ''
  {
    await using griot = await Griot.start()
    dataDir = griot.dataDir
    print('DATA_DIR ' + dataDir)
  }
  assert.equal(existsSync(dataDir), false)
})`,
    }),
    hanging: { 'hanging.test.js': hanging(frame) },
    mustHavePassed: mustSay(/Tests\s+(\d+) passed \(\d+\)/, 1),
  }
}

const nodeTest = {
  name: 'node:test',
  heading: 'node:test',
  pin: (command) => command,
  extra: (checks) => {
    const frame = `${IMPORTS}import { mock, test as nodeTest } from 'node:test'
const test = (name, body) => nodeTest(name, body)`
    return {
      'checks.mjs': checks,
      'checks.test.mjs': checked(
        `${frame}\nimport { checks } from './checks.mjs'`,
        // all that this Node.js can fake; which that is differs
        `mock.timers.enable(process.version.startsWith('v20.1') ? undefined : { now: 978_307_200_000 })`,
        'mock.timers.reset()',
      ),
      'forgotten.test.mjs': forgotten(frame),
    }
  },
  hanging: {
    'hanging.test.mjs': hanging(`${IMPORTS}import { test as nodeTest } from 'node:test'
const test = (name, body) => nodeTest(name, body)`),
  },
  mustHavePassed: mustSay(/^(?:#|ℹ) pass (\d+)$/m),
}

const jest = (version, modules) => {
  const isEsm = modules === 'ES modules'
  const frame = isEsm ? `${IMPORTS}import { jest } from '@jest/globals'` : REQUIRES
  const load = isEsm
    ? "import { checks } from './checks.js'"
    : "const { checks } = require('./checks.js')"
  return {
    name: `jest ${version}, ${modules}`,
    heading: `Jest, with ${modules}`,
    pin: (command) => command.replace('jest@30', `jest@${version}`),
    extra: (checks) => ({
      'checks.js': isEsm ? checks : asCommonJs(checks),
      'checks.test.js': checked(
        `${frame}\n${load}`,
        "jest.useFakeTimers(); jest.setSystemTime(new Date('2001-01-01'))",
        'jest.useRealTimers()',
      ),
      'forgotten.test.js': forgotten(frame),
    }),
    hanging: { 'hanging.test.js': hanging(frame) },
    mustHavePassed: mustSay(/^Tests:\s+(\d+) passed, \d+ total$/m),
    openHandles: async (test, run) => {
      const output = await run(`${test} --detectOpenHandles kafka checks`)
      if (/open handle|did not exit/i.test(output)) throw new Error(output)
    },
  }
}

export const FRAMEWORKS = [
  jest('30', 'CommonJS'),
  jest('30', 'ES modules'),
  jest('29', 'CommonJS'),
  jest('29', 'ES modules'),
  vitest('forks'),
  vitest('threads'),
  nodeTest,
]
