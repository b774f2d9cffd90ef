/** After all tests: the ten slowest, so that nobody has to go looking for what eats the ten minutes. */
import type { Reporter, TestModule } from 'vitest/node'

const SHOWN = 10

export class SlowestReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => ({
        name: `${module.relativeModuleId}: ${test.fullName}`,
        ms: test.diagnostic()?.duration ?? 0,
      })),
    )
    tests.sort((a, b) => b.ms - a.ms)
    console.log(`\nslowest ${Math.min(SHOWN, tests.length)} tests:`)
    for (const { name, ms } of tests.slice(0, SHOWN)) {
      console.log(`${String(Math.round(ms)).padStart(8)} ms  ${name}`)
    }
  }
}

// vitest asks for a default export here
export { SlowestReporter as default }
