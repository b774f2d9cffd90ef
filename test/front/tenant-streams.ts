/** A stream of random words for each tenant: what one draws does not depend on who else draws. */
import type { TenantId } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'

/** The same object for the same tenant. */
export function tenantStreams(seed: number): (tenantId: TenantId) => SeededRandom {
  const streams = new Map<TenantId, SeededRandom>()
  return (tenantId) => {
    const known = streams.get(tenantId)
    if (known !== undefined) return known
    let hash = seed
    for (let i = 0; i < tenantId.length; i++) {
      hash = (Math.imul(hash, 31) + tenantId.charCodeAt(i)) | 0
    }
    const stream = new SeededRandom(hash)
    streams.set(tenantId, stream)
    return stream
  }
}
