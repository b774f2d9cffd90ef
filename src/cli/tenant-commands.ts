/** `griot tenant …`: names and flags; the work is loaded when it is asked for. */
import type { Command } from 'commander'
import { withEngine } from './engine-command.ts'
import { collect, LIMIT_NAMES } from './limit-option.ts'

export function addTenantCommands(tenant: Command): void {
  tenant
    .helpCommand(false)
    .addHelpText('after', '\nA tenant is a Kafka cluster of its own: topics, groups, keys and id.')
  addCreate(tenant)
  addListAndDescribe(tenant)
  addUpdate(tenant)
  addStates(tenant)
  addDelete(tenant)
}

function addCreate(tenant: Command): void {
  withEngine(tenant.command('create <NAME>').description('make a tenant'))
    .option('--plan <PLAN>', 'what it may have, unless --limit says otherwise')
    .option('--limit <LIMIT=MAX>', `bound what it may have: ${LIMIT_NAMES}`, collect)
    .option(
      '--super-user <User:NAME>',
      'who may do everything (default: User:admin; may be repeated)',
      collect,
    )
    .option(
      '--allow-everyone-if-no-acl [BOOL]',
      "Kafka's allow.everyone.if.no.acl.found (default: false)",
    )
    .action(async (name: string, options) => {
      const { runTenantCreate } = await import('./tenant.ts')
      await runTenantCreate(name, options)
    })
}

function addListAndDescribe(tenant: Command): void {
  withEngine(tenant.command('list').alias('ls').description('list tenants')).action(
    async (options) => {
      const { runTenantList } = await import('./tenant.ts')
      await runTenantList(options)
    },
  )
  withEngine(
    tenant
      .command('describe <NAME>')
      .alias('info')
      .description('state, cluster id, limits and what is used of them and of the engine'),
  ).action(async (name: string, options) => {
    const { runTenantDescribe } = await import('./tenant.ts')
    await runTenantDescribe(name, options)
  })
}

function addUpdate(tenant: Command): void {
  withEngine(
    tenant
      .command('update <NAME>')
      .alias('set')
      .description('change plan, limits and access of a tenant'),
  )
    .option('--plan <PLAN|none>', 'what it may have, where it has no limits of its own')
    .option(
      '--limit <LIMIT=MAX|none>',
      `${LIMIT_NAMES}; none takes one away, so that its plan's holds`,
      collect,
    )
    .option('--super-user <User:NAME>', 'who alone may do everything (may be repeated)', collect)
    .option('--no-super-users', 'nobody may do everything')
    .option('--allow-everyone-if-no-acl [BOOL]', "Kafka's allow.everyone.if.no.acl.found")
    .action(async (name: string, options) => {
      const { runTenantSet } = await import('./tenant.ts')
      await runTenantSet(name, options)
    })
}

function addStates(tenant: Command): void {
  const states = [
    ['suspend', 'suspended', 'close its connections and let nobody in; everything stays'],
    ['resume', 'active', 'let its clients in again'],
  ] as const
  for (const [name, state, description] of states) {
    withEngine(tenant.command(`${name} <NAME>`).description(description)).action(
      async (tenantName: string, options) => {
        const { runTenantState } = await import('./tenant.ts')
        await runTenantState(tenantName, state, options)
      },
    )
  }
}

function addDelete(tenant: Command): void {
  withEngine(
    tenant
      .command('delete <NAME>')
      .alias('rm')
      .description('delete a tenant with all in it, and wait until nothing is left of it'),
  )
    .option('-y, --yes', 'do not ask; wanted where nobody can be asked')
    .option(
      '--verify',
      'delete nothing: list what is left of one that was deleted, and when that goes; of one that is gone, by its tenant id',
    )
    .option(
      '--purge',
      'wait until no byte of it is left on disk either, in the metadata log neither, and look; also of one that is gone, by its tenant id',
    )
    .option(
      '--timeout <DURATION>',
      'with --purge: give up when nothing has changed on disk for so long (default: 1m)',
    )
    .option('--no-wait', 'do not wait')
    .action(async (name: string, options) => {
      const { runTenantDelete } = await import('./tenant-delete.ts')
      await runTenantDelete(name, options)
    })
}
