import type { TenantId, TopicId } from '../base/ids.ts'
import type { LogFields, Logger, LogLevel } from '../base/log.ts'
import type { MetadataView } from '../image/view.ts'

/** As `partitionPath` makes it. */
const REPLICA = /\/([0-9a-f]{16})\/([0-9a-f]{32})-(\d+)$/

/** A broker's log lines about a replica's directory: they name the topic as well, since who reads them knows no ids. */
export class TopicNamingLogger implements Logger {
  /** null: it has not come. */
  image: MetadataView | null = null
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
  }

  log(level: LogLevel, message: string, fields?: LogFields): void {
    this.#logger.log(level, message, fields === undefined ? fields : this.#named(fields))
  }

  #named(fields: LogFields): LogFields {
    const found = typeof fields.directory === 'string' ? REPLICA.exec(fields.directory) : null
    if (found === null) return fields
    const tenantId = found[1] as TenantId
    // logs know their partition by its number, which is none that a client has seen
    const partition = Number(found[3])
    const topic = this.image?.topicById(tenantId, found[2] as TopicId)
    if (topic === undefined) return { ...fields, partition }
    const tenant = this.image?.tenant(tenantId)?.name
    return { tenant, topic: topic.name, ...fields, partition }
  }
}
