import { defineConfig } from 'vitest/config'

const report = process.env.GRIOT_TEST_REPORT

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup-build.ts'],
    // a path in GRIOT_TEST_REPORT gets the results as JSON as well
    reporters: [
      'default',
      'test/setup-slowest.ts',
      ...(report ? [['json', { outputFile: report }] as const] : []),
    ],
    // engines start threads of their own: more files at a time would measure the machine
    maxWorkers: 2,
    pool: 'forks',
    // with the counts of the issues in full a test has minutes of work
    testTimeout: process.env.GRIOT_TEST_LONG ? 300_000 : 20_000,
    hookTimeout: 30_000,
    server: { deps: { external: [/\/dist\//] } },
  },
})
