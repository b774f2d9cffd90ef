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
      "the engine's address for /metrics (default: GRIOT_URL, or http://127.0.0.1:8082)",
    )
    .action(async (options) => {
      const { runTop } = await import('./top.ts')
      await runTop(options)
    })
}
