/** Whose a connection is by where it comes in, and by the name that its client looked for (SNI). On the Kafka front's thread. */
import type { MetadataView } from '../image/view.ts'
import type { Belonging } from '../net/listener-info.ts'
import type { KafkaListen } from './listeners.ts'

/** Whose a connection is that comes in at `listen`: by the tenant that is named there, or by SNI, or that of nobody. A text: why it is refused. */
export function belongingAt(
  image: MetadataView,
  { tenant, tls }: Pick<KafkaListen, 'tenant' | 'tls'>,
  sniDomain: string | null,
  servername: string | null,
): Belonging | string {
  const named = tls === true && sniDomain !== null ? labelOf(servername, sniDomain) : null
  if (named !== null && tenant !== undefined && named !== tenant) {
    return `it looked for ${servername}, and this listener is of the tenant '${tenant}'`
  }
  const name = tenant ?? named
  if (name === null) return { tenantId: null, host: null }
  const found = image.tenantByName(name)
  if (found === undefined) return `there is no tenant '${name.slice(0, 100)}'`
  return { tenantId: found.tenantId, host: named === null ? null : servername }
}

/** What stands before the domain; null: the name is not under it. */
function labelOf(servername: string | null, domain: string): string | null {
  if (servername === null || !servername.endsWith(`.${domain}`)) return null
  return servername.slice(0, -domain.length - 1)
}
