/** `griot top`: names and flags. */
import type { Command } from 'commander'
import { withCluster } from './cluster.ts'

export function addTopCommand(program: Command): void {
  withCluster(
    program
      .command('top')
      .description('rates, lag and brokers, live; q ends, s sorts by another column'),
  )
    .option('-i, --interval <DURATION>', 'how often to look (default: 1s)')
    .option('-n, --num <N>', 'end after so many looks')
    .option('--once', 'look once (over one interval), print it and end')
    .option('-r, --regex <REGEX>', 'only topics whose names match')
    .option(
      '--url <URL>',
      "the engine's address, for rates of brokers (default: GRIOT_URL); the operator token is GRIOT_TOKEN, or that of the data directory",
    )
    .option(
      '--data-dir <DIR>',
      'or its data directory (default: GRIOT_DATA_DIR, or ./griot-data if it is of this cluster; without -b also http://127.0.0.1:8082)',
    )
    .action(async (options) => {
      const { runTop } = await import('./top.ts')
      await runTop(options)
    })
}
