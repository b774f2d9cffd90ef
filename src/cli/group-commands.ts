/** `griot group …`: names and flags. */
import type { Command } from 'commander'
import { collect, withCluster } from './cluster.ts'

export function addGroupCommands(group: Command): void {
  group.helpCommand(false)
  withCluster(group.command('list').alias('ls').description('list consumer groups'))
    .option('-s, --states <STATE,…>', 'only those: Stable, Empty, …')
    .action(async (options) => {
      const { runGroupList } = await import('./group-list.ts')
      await runGroupList(options)
    })
  withCluster(
    group.command('describe <GROUP...>').description('state, members and lag of each partition'),
  )
    .option('-r, --regex', 'the names are regular expressions')
    .option('-s, --summary', 'the summary alone')
    .action(async (names: string[], options) => {
      const { runGroupDescribe } = await import('./group-list.ts')
      await runGroupDescribe(names, options)
    })
  withCluster(
    group
      .command('reset-offsets <GROUP>')
      .alias('seek')
      .description('move what a group has committed; it must have no members'),
  )
    .option(
      '--to <WHERE>',
      'start, end, an offset, or a time (@1767225600000, 2026-01-01T12:00:00Z, now, -1h30m: so long ago)',
    )
    .option('--shift-by <N>', 'by so many records, back with a minus')
    .option('--by-duration <DURATION>', 'to what was written so long ago: 90s, 1h30m, 7d')
    .option(
      '--topic <TOPIC[:P,P]>',
      'only there (may be repeated; default: all committed)',
      collect,
    )
    .addOption(group.createOption('--topics <TOPIC,…>').argParser(collect).hideHelp())
    .option('--dry-run', 'show what would be')
    .action(async (name: string, options) => {
      const { runGroupReset } = await import('./group-reset.ts')
      await runGroupReset(name, options)
    })
  withCluster(
    group
      .command('delete <GROUP...>')
      .alias('rm')
      .description('delete groups with all they committed'),
  ).action(async (names: string[], options) => {
    const { runGroupDelete } = await import('./group-list.ts')
    await runGroupDelete(names, options)
  })
}
