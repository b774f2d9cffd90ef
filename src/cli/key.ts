/** `griot key …`: makes, lists and revokes the API keys of a tenant. */
import type { Command } from 'commander'
import { readEndpoints } from '../server/endpoints.ts'
import { type EngineOptions, runOnEngine, withEngine } from './engine-command.ts'
import { DEFAULT_DATA_DIR } from './engine-url.ts'
import { UsageError } from './failure.ts'
import { type ApiKey, askApi, listAll, tenantPath } from './operator-api.ts'
import { renderList, renderTable } from './table.ts'

interface CreateOptions extends EngineOptions {
  readonly user?: string
  readonly properties?: string
}

type Client = 'java' | 'librdkafka'

const clientOf = (name: string): Client => {
  if (name === 'java' || name === 'librdkafka') return name
  throw new UsageError(`--properties: '${name}' is refused, it wants java or librdkafka`)
}

type MadeKey = ApiKey & { readonly secret: string }

export function addKeyCommands(key: Command): void {
  key
    .helpCommand(false)
    .addHelpText(
      'after',
      '\nKafka clients come in with a key and its secret by SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.',
    )
  withEngine(key.command('create <TENANT>').description('make a key; its secret is shown once'))
    .option('--user <NAME>', 'the principal is User:NAME (default: admin)')
    .option(
      '--properties <CLIENT>',
      'print a file of client properties and nothing else: java, or librdkafka (kcat -F)',
    )
    .action((tenant: string, options: CreateOptions) => createKey(tenant, options))
  withEngine(
    key.command('list <TENANT>').alias('ls').description('list keys, without their secrets'),
  ).action((tenant: string, options: EngineOptions) => listKeys(tenant, options))
  withEngine(
    key
      .command('revoke <TENANT> <KEY>')
      .alias('rm')
      .description('revoke a key; clients that use it lose their connections'),
  ).action((tenant: string, id: string, options: EngineOptions) => revokeKey(tenant, id, options))
}

const KEYS = '/keys'
const PLAIN_LOGIN = 'org.apache.kafka.common.security.plain.PlainLoginModule'

async function createKey(tenant: string, options: CreateOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    const { user } = options
    const client = options.properties === undefined ? null : clientOf(options.properties)
    const next = {
      409: `\`griot key revoke ${tenant} KEY\` and \`griot tenant update ${tenant} --limit keys=MAX\` make room`,
      503: `\`griot key list ${tenant}\` shows whether it was made: revoke it then, its secret is lost`,
    }
    const body = user === undefined ? {} : { user }
    const made = await askApi<MadeKey>(options, ['POST', tenantPath(tenant, KEYS), body], next)
    const { key, secret } = made
    if (client !== null) process.stdout.write(propertiesOf(client, made, bootstrapOf(options)))
    else if (json) console.log(JSON.stringify({ key, secret, user: made.user }))
    else process.stdout.write(textOf(tenant, made, bootstrapOf(options)))
  })
}

function textOf(tenant: string, { key, secret, user }: MadeKey, bootstrap: string): string {
  const list = renderList([
    ['KEY', key],
    ['SECRET', secret],
    ['USER', user],
  ])
  return `${list}
The secret is shown this once, and nobody can tell it again: keep it now.
\`griot key revoke ${tenant} ${key}\` ends it.

# properties of Java's clients (--properties java > FILE)
${propertiesOf('java', { key, secret }, bootstrap)}
kcat -L -b ${bootstrap} -X security.protocol=SASL_PLAINTEXT -X sasl.mechanisms=PLAIN -X sasl.username=${key} -X sasl.password=${secret}
`
}

/** A file that the client reads. */
function propertiesOf(
  client: Client,
  { key, secret }: Pick<MadeKey, 'key' | 'secret'>,
  bootstrap: string,
): string {
  const login =
    client === 'java'
      ? `sasl.jaas.config=${PLAIN_LOGIN} required username="${key}" password="${secret}";`
      : `sasl.username=${key}\nsasl.password=${secret}`
  return `bootstrap.servers=${bootstrap}
security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
${login}
`
}

/** Where the engine's Kafka clients come in, if its data directory tells. */
function bootstrapOf({ url, dataDir }: EngineOptions): string {
  const { GRIOT_URL, GRIOT_DATA_DIR } = process.env
  const isElsewhere = dataDir === undefined && (url !== undefined || Boolean(GRIOT_URL))
  const directory = dataDir ?? (GRIOT_DATA_DIR || DEFAULT_DATA_DIR)
  return (isElsewhere ? undefined : readEndpoints(directory)?.kafka[0]) ?? 'HOST:9092'
}

async function listKeys(tenant: string, options: EngineOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    const keys = await listAll<ApiKey>(options, tenantPath(tenant, KEYS), 'keys')
    if (json) console.log(JSON.stringify(keys, null, 2))
    else if (keys.length === 0) console.error('no keys')
    else {
      const rows = keys.map(({ key, user, createdAt }) => [key, user, createdAt])
      process.stdout.write(renderTable(['KEY', 'USER', 'CREATED'], rows))
    }
  })
}

async function revokeKey(tenant: string, id: string, options: EngineOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    const path = tenantPath(tenant, `${KEYS}/${encodeURIComponent(id)}`)
    const next = {
      404: `\`griot tenant list\` and \`griot key list ${tenant}\` show what there is`,
    }
    const { key } = await askApi<ApiKey>(options, ['DELETE', path], next)
    if (json) console.log(JSON.stringify({ key, status: 'revoked' }))
    else console.log(`key ${key}: revoked`)
  })
}
