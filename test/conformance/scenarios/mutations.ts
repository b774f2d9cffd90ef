/** A good request of every API and version, with each field in turn set to what might be treated in a way of its own. */
import type { Api } from '../../../src/protocol/api.ts'
import { apis } from '../../../src/protocol/apis.ts'
import { mutations } from '../mutate.ts'
import { type AskOptions, type Scenario, type Side, versionsOf } from '../side.ts'
import type { Base } from './base.ts'
import { bases } from './bases.ts'

async function mutateAll(side: Side, api: Api, base: Base): Promise<void> {
  await base.prepare?.(side)
  const leave = new Set(base.leave ?? [])
  const keep = base.keep
  const options: AskOptions = keep === undefined ? {} : { keep }
  for (const version of versionsOf(api)) {
    let n = 0
    const fresh = () => base.request(side, version, `${version}-${n++}`)
    await side.ask('base', api, version, (await fresh()) as never, options)
    const count = mutations(api.request, version, await fresh(), 'unknown', leave).length
    for (let i = 0; i < count; i++) {
      // Each from a base of its own, since what one request makes or deletes is there or gone for the next.
      const request = await fresh()
      const unknown = `unknown-${api.key}-${version}-${i}`
      const one = mutations(api.request, version, request, unknown, leave)[i]
      if (one === undefined || base.skip?.(one.step, version)) continue
      const onNew = base.alone?.(one.step) ? { on: `alone ${version} ${i}` } : {}
      await side.ask(one.step, api, version, one.request as never, { ...options, ...onNew })
    }
    await side.closeLinks()
  }
}

export const mutationScenarios: readonly Scenario[] = apis.flatMap((api) => {
  const base = bases[api.key]
  if (base === undefined) return []
  const run = (side: Side) => mutateAll(side, api, base)
  return [{ name: `mutated-${api.name}`, needs: [api.key], run }]
})
