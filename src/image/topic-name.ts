/** Kafka's rules for topic names (org.apache.kafka.common.internals.Topic). */
export const TOPIC_NAME_LENGTH_MAX = 249

const LEGAL = /^[a-zA-Z0-9._-]+$/
/** Kafka's own topics. */
export const INTERNAL_TOPICS = ['__consumer_offsets', '__transaction_state', '__share_group_state']
const INTERNAL = new Set(INTERNAL_TOPICS)

/** Null when `name` may name a topic, else why not. */
export function refuseTopicName(name: string): string | null {
  if (name === '') return 'Topic name is invalid: the empty string is not allowed'
  if (name === '.' || name === '..') return `Topic name is invalid: '${name}' is not allowed`
  if (name.length > TOPIC_NAME_LENGTH_MAX) {
    return `Topic name is invalid: the length of '${name}' is longer than the max allowed length ${TOPIC_NAME_LENGTH_MAX}`
  }
  if (!LEGAL.test(name)) {
    return `Topic name is invalid: '${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
  }
  return null
}

/** True for Kafka's own topics. */
export const isInternalTopic = (name: string): boolean => INTERNAL.has(name)

/** True when another name could be the same in metrics, where `.` becomes `_`. */
export const hasCollisionChars = (name: string): boolean => name.includes('.') || name.includes('_')

/** Equal for names that differ only in `.` and `_`. */
export const collisionName = (name: string): string => name.replaceAll('.', '_')
