/** `griot topic …`: names and flags; the work is loaded when it is asked for. */
import type { Command } from 'commander'
import { collect, collectList, withCluster } from './cluster.ts'
import { addConsumeCommand, addProduceCommand } from './record-commands.ts'

export function addTopicCommands(topic: Command): void {
  topic.helpCommand(false)
  addCreate(topic)
  addListAndDescribe(topic)
  addDelete(topic)
  addConfig(topic)
  addAlterConfig(topic)
  addPartitions(topic)
  // where rpk has them
  addProduceCommand(topic)
  addConsumeCommand(topic)
}

const dry = (command: Command): Command =>
  command
    .option('-d, --dry', 'let the brokers check it, change nothing')
    .addOption(command.createOption('--dry-run').hideHelp())

/** `--dry-run` is what others call `--dry`. */
const isDry = <T extends { dry?: boolean; dryRun?: boolean }>(options: T): T => ({
  ...options,
  dry: options.dry ?? options.dryRun ?? false,
})

function addCreate(topic: Command): void {
  withCluster(dry(topic.command('create <TOPIC...>').description('make topics')))
    .option('-p, --partitions <N>', 'partitions of each (default: what the brokers have)')
    .option(
      '-r, --replicas <N>',
      'replication factor (default: what the brokers have); a note says if another was made',
    )
    .option('-c, --topic-config <KEY=VALUE>', 'a config (may be repeated)', collect)
    .option('--if-not-exists', 'a topic that is there is no failure')
    .action(async (names: string[], options) => {
      const { runTopicCreate } = await import('./topic-change.ts')
      await runTopicCreate(names, isDry(options))
    })
}

function addListAndDescribe(topic: Command): void {
  withCluster(topic.command('list [TOPIC...]').alias('ls').description('list topics'))
    .option('-r, --regex', 'the names are regular expressions')
    .option('-i, --internal', 'those of the cluster itself too')
    .action(async (names: string[], options) => {
      const { runTopicList } = await import('./topic-list.ts')
      await runTopicList(names, options)
    })
  withCluster(
    topic
      .command('describe <TOPIC...>')
      .alias('info')
      .description('partitions with leader, replicas and watermarks; configs of its own'),
  )
    .option('-r, --regex', 'the names are regular expressions')
    .option('-s, --summary', 'the summary')
    .option('-p, --partitions', 'the partitions')
    .option('-c, --configs', 'all configs')
    .option('-a, --all', 'all of that')
    .action(async (names: string[], options) => {
      const { runTopicDescribe } = await import('./topic-list.ts')
      await runTopicDescribe(names, options)
    })
}

function addDelete(topic: Command): void {
  withCluster(
    dry(
      topic.command('delete <TOPIC...>').alias('rm').description('delete topics with all in them'),
    ),
  )
    .option('-r, --regex', 'the names are regular expressions; asks first')
    .option(
      '-y, --yes',
      "do not ask; wanted with -r and for the cluster's own topics where nobody can be asked",
    )
    .action(async (names: string[], options) => {
      const { runTopicDelete } = await import('./topic-change.ts')
      await runTopicDelete(names, isDry(options))
    })
}

function addConfig(topic: Command): void {
  const config = topic
    .command('config')
    .description('get, set and delete configs of a topic')
    .helpCommand(false)
  withCluster(
    config.command('get <TOPIC> [KEY...]').description('configs of its own, or those named'),
  )
    .option('-a, --all', 'those that it has by default too')
    .action(async (name: string, keys: string[], options) => {
      const { runConfigGet } = await import('./topic-config.ts')
      await runConfigGet(name, keys, options)
    })
  const operations = [
    ['set', '<KEY=VALUE...>', 'set configs'],
    ['delete', '<KEY...>', 'take configs back to what the brokers have'],
    ['append', '<KEY=VALUE...>', 'add to configs that are lists'],
    ['subtract', '<KEY=VALUE...>', 'take away from configs that are lists'],
  ] as const
  for (const [operation, wanted, description] of operations) {
    const command = config.command(`${operation} <TOPIC> ${wanted}`).description(description)
    withCluster(dry(command)).action(async (name: string, texts: string[], options) => {
      const { runConfigChange } = await import('./topic-config.ts')
      await runConfigChange(operation, name, texts, isDry(options))
    })
  }
}

function addAlterConfig(topic: Command): void {
  withCluster(
    topic.command('alter-config <TOPIC...>').description('change configs of topics, as rpk has it'),
  )
    .option('-s, --set <KEY=VALUE>', 'set (may be repeated)', collect)
    .option('-d, --delete <KEY,…>', 'take back to the default', collectList)
    .option('--append <KEY=VALUE>', 'add to a list', collect)
    .option('--subtract <KEY=VALUE>', 'take away from a list', collect)
    .option('--dry', 'let the brokers check it, change nothing')
    .action(async (names: string[], options) => {
      const { runAlterConfig } = await import('./topic-config.ts')
      await runAlterConfig(names, options)
    })
}

function addPartitions(topic: Command): void {
  withCluster(
    dry(topic.command('add-partitions <TOPIC...>').description('give topics more partitions')),
  )
    .option('-n, --num <N>', 'how many more')
    .option('--to <N>', 'how many in all')
    .action(async (names: string[], options) => {
      const { runAddPartitions } = await import('./topic-change.ts')
      await runAddPartitions(names, isDry(options))
    })
}
