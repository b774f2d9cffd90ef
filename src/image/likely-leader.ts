import type { BrokerId, PartitionNumber } from '../base/ids.ts'
import type { MetadataView } from './view.ts'

/**
 * Who leads a replicated partition, as far as a thread knows: who is told to, if it lives; else, where most of its replicas live, the first of them that has what there is of it, which
 * whoever asks next finds elected. 0: nobody, or so few replicas are left, or live, that nobody can.
 */
export function likelyLeader(
  image: MetadataView,
  number: PartitionNumber,
  isAlive: (broker: BrokerId) => boolean,
): BrokerId | 0 {
  if (image.isLost(number)) return 0
  const leader = image.leaderOf(number)
  const mayLead = (broker: BrokerId) => isAlive(broker) && !image.mayLack(number, broker)
  // at epoch 0 nobody has named it: it is who is preferred, or has the only replica yet
  const isTold = image.leaderEpochOf(number) > 0
  if (leader !== 0 && isTold && isAlive(leader)) return leader
  const replicas = image.replicasOf(number)
  if (2 * replicas.filter(isAlive).length <= replicas.length) return 0
  return leader !== 0 && !isTold && mayLead(leader) ? leader : (replicas.find(mayLead) ?? 0)
}
