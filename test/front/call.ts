/** One request of a test, from sending to its answer. */
import type { Api, ResponseOf } from '../../src/protocol/api.ts'
import type { Asking, FakeClient } from './fake-client.ts'
import type { Harness } from './harness.ts'

/** Sends and lets the world run until it is answered. Throws when it is not. */
export const call = <A extends Api>(
  world: Harness,
  client: FakeClient,
  api: A,
  version: number,
  request: Asking<A>,
): ResponseOf<A> => {
  const correlation = client.send(api, version, request)
  world.run()
  const response = client.answer(api, correlation)
  if (response === undefined) throw new Error(`${api.name} v${version}: no answer`)
  return response
}
