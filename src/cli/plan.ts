/** `griot plan …`: what tenants may have, by name. */
import type { Command } from 'commander'
import { confirmDeletion } from './confirm.ts'
import { type EngineOptions, runOnEngine, withEngine } from './engine-command.ts'
import { UsageError } from './failure.ts'
import { collect, LIMIT_NAMES, limitsOf } from './limit-option.ts'
import { askApi, listAll, type Plan, planPath, plansPath } from './operator-api.ts'
import { type Cell, renderList, renderTable } from './table.ts'

interface LimitOptions extends EngineOptions {
  readonly limit?: readonly string[]
}

interface DeleteOptions extends EngineOptions {
  readonly yes?: boolean
}

const LIST_PLANS = '`griot plan list` shows those that there are'

export function addPlanCommands(plan: Command): void {
  plan
    .helpCommand(false)
    .addHelpText(
      'after',
      '\nWhat a plan says holds for its tenants at once, but for limits of their own.',
    )
  withEngine(plan.command('create <NAME>').description('make a plan'))
    .option('--limit <LIMIT=MAX>', `what its tenants may have: ${LIMIT_NAMES}`, collect)
    .action((name: string, options: LimitOptions) => createPlan(name, options))
  withEngine(plan.command('list').alias('ls').description('list plans')).action(
    (options: EngineOptions) => listPlans(options),
  )
  withEngine(
    plan.command('describe <NAME>').alias('info').description('its limits, and how many have it'),
  ).action((name: string, options: EngineOptions) => describePlan(name, options))
  withEngine(
    plan
      .command('update <NAME>')
      .alias('set')
      .description('change its limits, for all tenants that have it'),
  )
    .option('--limit <LIMIT=MAX|none>', `${LIMIT_NAMES}; none takes one away`, collect)
    .action((name: string, options: LimitOptions) => updatePlan(name, options))
  withEngine(
    plan.command('delete <NAME>').alias('rm').description('delete a plan that no tenant has'),
  )
    .option('-y, --yes', 'do not ask; wanted where nobody can be asked')
    .action((name: string, options: DeleteOptions) => deletePlan(name, options))
}

const printJson = (value: unknown): void => console.log(JSON.stringify(value, null, 2))

async function createPlan(name: string, options: LimitOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    const next = { 409: `\`griot plan describe ${name}\` shows it` }
    const body = { name, limits: limitsOf(options.limit ?? []) }
    const plan = await askApi<Plan>(options, ['POST', plansPath(), body], next)
    if (json) printJson(plan)
    else {
      console.log(`plan ${plan.name}: created`)
      console.log(`\`griot tenant create NAME --plan ${plan.name}\` makes a tenant that has it`)
    }
  })
}

async function listPlans(options: EngineOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    const plans = await listAll<Plan>(options, plansPath(), 'plans')
    if (json) printJson(plans)
    else {
      const rows = plans.map(({ name, tenants, limits }): Cell[] => [
        ...[name, tenants],
        Object.entries(limits)
          .flatMap(([limit, max]) => (max === null ? [] : [`${limit}=${max}`]))
          .join(' '),
      ])
      process.stdout.write(renderTable(['NAME', 'TENANTS', 'LIMITS'], rows))
    }
  })
}

async function describePlan(name: string, options: EngineOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    const plan = await askApi<Plan>(options, ['GET', planPath(name)], { 404: LIST_PLANS })
    if (json) printJson(plan)
    else process.stdout.write(textOf(plan))
  })
}

async function updatePlan(name: string, options: LimitOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    if (options.limit === undefined) {
      throw new UsageError('nothing is to change: give --limit LIMIT=MAX')
    }
    const body = { limits: limitsOf(options.limit) }
    const plan = await askApi<Plan>(options, ['PATCH', planPath(name), body], { 404: LIST_PLANS })
    if (json) printJson(plan)
    else process.stdout.write(`plan ${plan.name}: changed\n\n${textOf(plan)}`)
  })
}

async function deletePlan(name: string, options: DeleteOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    if (!options.yes) await confirmDeletion(`the plan ${name} would be gone`, [name])
    const next = { 404: LIST_PLANS, 409: '`griot tenant update TENANT --plan PLAN` gives another' }
    const plan = await askApi<Plan>(options, ['DELETE', planPath(name)], next)
    if (json) printJson(plan)
    else console.log(`plan ${plan.name}: deleted`)
  })
}

function textOf({ name, tenants, limits }: Plan): string {
  const list = renderList([
    ['NAME', name],
    ['TENANTS', tenants],
  ])
  return `${list}\n${renderTable(['LIMIT', 'MAX'], Object.entries(limits))}`
}
