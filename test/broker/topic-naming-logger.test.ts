import { describe, expect, it } from 'vitest'
import type { LogFields } from '../../src/base/log.ts'
import { TopicNamingLogger } from '../../src/broker/topic-naming-logger.ts'
import { MetadataImage } from '../../src/image/image.ts'
import { ACME, formed, tenant, topic, topicId } from '../image/support.ts'

const directory = (index: number, id = 7) => `/data/broker-1/${ACME}/${topicId(id)}-${index}`

function world() {
  const lines: (LogFields | undefined)[] = []
  const logger = new TopicNamingLogger({ log: (_level, _message, fields) => lines.push(fields) })
  const image = new MetadataImage()
  for (const entry of [formed, tenant(ACME, 'acme'), topic(ACME, 7, 'orders', 40, [1, 1, 1])]) {
    image.apply(entry)
  }
  const fieldsOf = (fields?: LogFields) => {
    logger.log('warn', 'something', fields)
    return lines.pop()
  }
  return { logger, image, fieldsOf }
}

describe('a broker’s log line about a directory', () => {
  it('names the topic as its tenant does, and the partition as clients do', () => {
    const { logger, image, fieldsOf } = world()
    logger.image = image
    expect(fieldsOf({ directory: directory(2), partition: 42, bytes: 5 })).toEqual({
      ...{ tenant: 'acme', topic: 'orders', partition: 2 },
      ...{ directory: directory(2), bytes: 5 },
    })
  })

  it('has the ids alone before the image has come, and of what is gone', () => {
    const { logger, image, fieldsOf } = world()
    const line = { directory: directory(1), bytes: 5 }
    expect(fieldsOf(line)).toEqual({ ...line, partition: 1 })
    logger.image = image
    const gone = { directory: directory(1, 9) }
    expect(fieldsOf(gone)).toEqual({ ...gone, partition: 1 })
  })

  it('stays as it is where the directory is none of a replica, or there is none', () => {
    const { logger, image, fieldsOf } = world()
    logger.image = image
    expect(fieldsOf({ directory: '/data/broker-1/metadata' })).toEqual({
      directory: '/data/broker-1/metadata',
    })
    expect(fieldsOf({ reason: 'x' })).toEqual({ reason: 'x' })
    expect(fieldsOf()).toBeUndefined()
  })
})
