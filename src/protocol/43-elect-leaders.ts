/**
 * ElectLeaders: has the preferred replica, or whichever there is, lead a partition. Versions 0–2; flexible from 2.
 *
 * - 1: which kind of election (KIP-460), an error for the whole
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, int8, int16, int32, string } from './schema.ts'
import { always, between, since } from './version-range.ts'

export const electLeaders = api({
  key: 43,
  name: 'ElectLeaders',
  versions: between(0, 2),
  flexibleFrom: 2,
  request: {
    /** 0: the preferred replica; 1: any that lives, where none is in sync (unclean). */
    electionType: int8({ versions: since(1) }),
    /** null for all. */
    topicPartitions: array(
      { topic: string({ entity: 'topicName' }), partitions: array(int32()) },
      { nullable: always },
    ),
    timeoutMs: int32({ default: 60_000 }),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16({ versions: since(1) }),
    replicaElectionResults: array({
      topic: string({ entity: 'topicName' }),
      partitionResult: array({
        partitionId: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: always, entity: 'errorMessage' }),
      }),
    }),
  },
})

export type ElectLeadersRequest = RequestOf<typeof electLeaders>
export type ElectLeadersResponse = ResponseOf<typeof electLeaders>
export type ElectLeadersRequestInput = RequestInputOf<typeof electLeaders>
export type ElectLeadersResponseInput = ResponseInputOf<typeof electLeaders>
