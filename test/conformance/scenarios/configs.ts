/** DescribeConfigs. */
import { describeConfigs } from '../../../src/protocol/32-describe-configs.ts'
import { type Scenario, versionsOf } from '../side.ts'

const TOPIC = 2
const BROKER = 4

export const configScenarios: readonly Scenario[] = [
  {
    name: 'describe-configs',
    async run(side) {
      await side.createTopic('configs-plain')
      await side.createTopic('configs-set', 1, {
        'retention.ms': '1000',
        'cleanup.policy': 'compact,delete',
        'max.message.bytes': '2000',
      })
      type Resource = readonly [type: number, name: string, keys: readonly string[] | null]
      const cases: Record<string, readonly Resource[]> = {
        'a topic, all': [[TOPIC, 'configs-plain', null]],
        'a topic with some set': [[TOPIC, 'configs-set', null]],
        'one key': [[TOPIC, 'configs-set', ['retention.ms']]],
        'two keys, one unknown': [[TOPIC, 'configs-set', ['retention.ms', 'no.such']]],
        'no keys': [[TOPIC, 'configs-set', []]],
        'the same key twice': [[TOPIC, 'configs-set', ['retention.ms', 'retention.ms']]],
        'an unknown topic': [[TOPIC, 'configs-unknown', null]],
        'a bad topic name': [[TOPIC, 'a bad/name', null]],
        'an empty topic name': [[TOPIC, '', null]],
        'the broker': [[BROKER, '1', null]],
        'the default broker': [[BROKER, '', null]],
        'one broker key': [[BROKER, '1', ['log.retention.hours', 'num.partitions']]],
        'another broker': [[BROKER, '77', null]],
        'no broker': [[BROKER, 'abc', null]],
        'type 0': [[0, 'x', null]],
        'type 1': [[1, 'x', null]],
        'type 3': [[3, 'x', null]],
        'type 5': [[5, 'x', null]],
        'type 99': [[99, 'x', null]],
        'type -1': [[-1, 'x', null]],
        'a loggers broker': [[8, '1', ['no.such.logger']]],
        'client metrics': [[16, 'x', null]],
        'a group': [[32, 'x', null]],
        'an empty group': [[32, '', null]],
        'the same twice': [
          [TOPIC, 'configs-plain', ['retention.ms']],
          [TOPIC, 'configs-plain', ['cleanup.policy']],
        ],
        'a topic and an unknown one': [
          [TOPIC, 'configs-plain', ['retention.ms']],
          [TOPIC, 'configs-unknown', null],
        ],
        none: [],
      }
      for (const version of versionsOf(describeConfigs)) {
        for (const [step, resources] of Object.entries(cases)) {
          for (const includeSynonyms of step.includes(', all') ||
          step === 'the broker' ||
          step.includes('key')
            ? [false, true]
            : [true]) {
            for (const includeDocumentation of version === 3 ? [false, true] : [false]) {
              const flags = `${includeSynonyms ? ', synonyms' : ''}${includeDocumentation ? ', documentation' : ''}`
              await side.ask(step + flags, describeConfigs, version, {
                resources: resources.map(([resourceType, resourceName, configurationKeys]) => ({
                  ...{ resourceType, resourceName },
                  configurationKeys: configurationKeys === null ? null : [...configurationKeys],
                })),
                includeSynonyms,
                includeDocumentation,
              })
            }
          }
        }
      }
    },
  },
]
