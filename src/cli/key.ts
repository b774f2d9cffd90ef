/** `griot key …`: makes, lists and revokes the API keys of a tenant. */
import path from 'node:path'
import type { Command } from 'commander'
import { type EngineOptions, runOnEngine, withEngine } from './engine-command.ts'
import {
  type Entrance,
  entranceFor,
  kcatLine,
  propertiesFor,
  propertiesOf,
} from './key-properties.ts'
import { type ApiKey, askApi, listAll, tenantPath } from './operator-api.ts'
import { readCa } from './pem-file.ts'
import { renderList, renderTable } from './table.ts'

interface CreateOptions extends EngineOptions {
  readonly user?: string
  readonly properties?: string
  readonly ca?: string
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
    .option('--user <NAME>', 'the principal is User:NAME, given without User: (default: admin)')
    .option(
      '--properties <CLIENT>',
      'print a file of client properties and nothing else: java, or librdkafka (kcat -F)',
    )
    .option(
      '--ca <FILE>',
      'what these clients are to know the certificate of the listener by (PEM), where it speaks TLS',
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

async function createKey(tenant: string, options: CreateOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    const { user } = options
    const client = options.properties === undefined ? null : propertiesFor(options.properties)
    // before there is a secret that could be lost
    const ca = options.ca === undefined ? undefined : pathOfCa(options.ca)
    const entrance = await entranceFor(tenant, options)
    const next = {
      409: `\`griot key revoke ${tenant} KEY\` and \`griot tenant update ${tenant} --limit keys=MAX\` make room`,
      503: `\`griot key list ${tenant}\` shows whether it was made: revoke it then, its secret is lost`,
    }
    const body = user === undefined ? {} : { user }
    const made = await askApi<MadeKey>(options, ['POST', tenantPath(tenant, KEYS), body], next)
    const { key, secret } = made
    if (client !== null) process.stdout.write(propertiesOf(client, made, entrance, ca))
    else if (json) console.log(JSON.stringify({ key, secret, user: made.user }))
    else process.stdout.write(textOf(tenant, made, entrance, ca))
    if (entrance.trouble !== null) console.error(`griot: ${entrance.trouble}`)
  })
}

/** Clients start in other folders. Throws a `UsageError` where it is of no use to them. */
function pathOfCa(file: string): string {
  readCa(file)
  return path.resolve(file)
}

function textOf(
  tenant: string,
  { key, secret, user }: MadeKey,
  entrance: Entrance,
  ca: string | undefined,
): string {
  const list = renderList([
    ['KEY', key],
    ['SECRET', secret],
    ['USER', user],
  ])
  return `${list}
The secret is shown this once, and nobody can tell it again: keep it now.
\`griot key revoke ${tenant} ${key}\` ends it.

# properties of Java's clients (--properties java > FILE)
${propertiesOf('java', { key, secret }, entrance, ca)}
${kcatLine({ key, secret }, entrance, ca)}
`
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
