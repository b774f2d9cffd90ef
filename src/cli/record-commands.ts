/** `griot produce` and `griot consume`, also under `griot topic`: names and flags. */
import type { Command } from 'commander'
import { collect, collectList, withCluster } from './cluster.ts'

const PRODUCE_HELP = `
Without FILEs, lines of standard input are records (empty ones too), until it ends. FILEs are one record each; with -l their lines are.
-f says how records are cut out of the input: %k %v %t %p %T (time in ms) and text between them; -f json reads what
\`griot consume --json\` prints. Examples:

  seq 100 | griot produce numbers
  echo 'ada:engineer' | griot produce people -K :
  griot produce people -k ada --value engineer -H source=cli
  griot consume a --json -e | griot produce b -f json`

const CONSUME_HELP = `
Reads all partitions from the start, and goes on reading; -e ends at the end. Where to begin, and to stop (-o):

  start, end          the first record, or only what comes from now on
  +N, -N              N behind the start, N before the end
  N, N:M, N-M, :end   from offset N; until before M; to M; until the end as it is now
  @TIME, @TIME:TIME   by time: milliseconds, seconds, 2026-01-31T12:00:00Z, -1h; the second may be a span: @-2h:30m
  stored              with -g: where the group stands, from the start where it has committed nothing

With -g a partition goes on from what the group has committed, whatever -o says; -o is for partitions where it has committed
nothing. \`griot group reset-offsets\` moves a group. With --json a failure is the last line, {"error":{"message":…}}.

Format (-f): %t topic, %p partition, %o offset, %k key, %v or %s value, %h headers, %T or %d time in ms, %K, and %S or %V,
lengths of key and value (-1 for null), %H number of headers, %e leader epoch, %R length of the value as 4 bytes, %% and \\n \\t \\xNN;
%v{hex}, %v{base64}, %k{…}, %T{iso}, %T{s} (whole seconds); or "json", the same as --json.`

export function addProduceCommand(parent: Command): void {
  withCluster(
    parent
      .command('produce [TOPIC] [FILE...]')
      .description('write records from standard input or files'),
  )
    .option('-t, --topic <TOPIC>', 'the topic; then all arguments are FILEs')
    .option('-p, --partition <N>', 'to this partition (default: by key as Java has it, else any)')
    .option('-k, --key <KEY>', 'the key of every record')
    .option('--value <VALUE>', 'one record with this value; nothing is read')
    .option('-H, --header <NAME=VALUE>', 'a header of every record (may be repeated)', collect)
    .option(
      '-K, --key-delimiter <TEXT>',
      'lines are key, TEXT, value; one without TEXT is a value without a key',
    )
    .option('-D, --delimiter <TEXT>', 'what ends a record (default: \\n)')
    .option('-f, --format <FORMAT>', 'how to cut the input into records, or json')
    .option('-l, --lines', 'lines of FILEs are records')
    .option('-Z, --tombstone', 'empty values and keys are null')
    .option('-z, --compression <CODEC>', 'none, gzip, snappy, lz4 or zstd (default: none)')
    .option('--compression-level <N>', 'of gzip and zstd')
    .option('--acks <ACKS>', 'all (-1), 1 or 0 (default: all)')
    .option('--delivery-timeout <DURATION>', 'how long to try a record (default: 30s)')
    .option('--no-auto-create', 'do not let the brokers make a topic that is not there')
    .option('-c, --count <N>', 'end after so many records')
    .option('-q, --quiet', 'no summary')
    .addHelpText('after', PRODUCE_HELP)
    .action(async (topic: string | undefined, files: string[], options) => {
      const { runProduce } = await import('./produce.ts')
      await runProduce(topic, files, options)
    })
}

export function addConsumeCommand(parent: Command): void {
  withCluster(parent.command('consume [TOPIC...]').description('read records and print them'))
    .option('-t, --topic <TOPIC,…>', 'a topic (may be repeated)', collectList)
    .option('-r, --regex', 'the topics are regular expressions')
    .option('-p, --partitions <N,…>', 'only these partitions (may be repeated)', collectList)
    .addOption(parent.createOption('--partition <N,…>').argParser(collectList).hideHelp())
    .option('-o, --offset <OFFSET>', 'where to begin, and to stop (default: start)', collect)
    .option('-e, --exit', 'end once all has been read that was there at the beginning')
    .option('--follow', 'go on reading at the end (default)')
    .option('-n, --num <N>', 'end after so many records')
    .option('-c, --count <N>', 'the same')
    .option('-f, --format <FORMAT>', 'how to print a record (default: %v\\n)')
    .option('-K, --key-delimiter <TEXT>', 'print key, TEXT, value')
    .option('-D, --delimiter <TEXT>', 'what to print after each record (default: \\n)')
    .option('-Z, --null', 'print NULL for null keys and values')
    .option('-J', 'the same as --json')
    .option('--meta-only', 'JSON without keys, values and headers')
    .option('--key <KEY>', 'only records with this key')
    .option('--key-regex <REGEX>', 'only records whose key matches')
    .option('-g, --group <GROUP>', 'as a member of the group: from where it stands, and commit')
    .addOption(parent.createOption('-G <GROUP>').hideHelp())
    .option('--assignor <NAME>', "range or cooperative-sticky (default: the group's, or range)")
    .option('--no-commit', 'in a group, commit nothing')
    .option('--read-uncommitted', 'transactions that are open or were aborted too')
    .option('-q, --quiet', 'no summary')
    .addHelpText('after', CONSUME_HELP)
    .action(async (topics: string[], options) => {
      const { runConsume } = await import('./consume.ts')
      await runConsume(topics, options)
    })
}
