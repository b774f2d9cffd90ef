/** Apache Kafka to compare with: one broker that is its own controller, small and quick to start. */
import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import type { Broker } from '../../native-bench/peers/broker.ts'
import { startKafka } from '../../native-bench/peers/kafka.ts'
import { javaProgram, kafkaLibs } from '../../native-bench/peers/kafka-libs.ts'

const properties = {
  // What Griot has by default, too.
  'num.partitions': 4,
  'auto.create.topics.enable': true,
  // By default it has none, and says of ACLs only that. Nobody is a super user, as here: so ACLs on the cluster would lock it out of itself.
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': true,
  // Small and quick.
  'offsets.topic.num.partitions': 1,
  'transaction.state.log.num.partitions': 1,
}

/** Formats `directory` and starts. Throws where there is no Java or Maven, or with its standard error if it ends. */
export async function startKafkaBroker(directory: string): Promise<Broker> {
  await mkdir(directory, { recursive: true })
  return await startKafka(
    { spawn },
    {
      java: javaProgram(),
      libs: kafkaLibs(),
      nodes: 1,
      jvm: ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
      properties,
    },
    directory,
  )
}
