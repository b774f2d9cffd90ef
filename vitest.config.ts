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
    testTimeout: 20_000,
    hookTimeout: 30_000,
    server: { deps: { external: [/\/dist\//] } },
  },
})
