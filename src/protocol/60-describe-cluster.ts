/**
 * DescribeCluster: nodes, cluster id, controller. Versions 0–2; always flexible.
 *
 * - 1: brokers or controllers (KIP-919), with MISMATCHED_ENDPOINT_TYPE and UNSUPPORTED_ENDPOINT_TYPE
 * - 2: fenced brokers on request (KIP-1073)
 */
import {
  api,
  type RequestInputOf,
  type RequestOf,
  type ResponseInputOf,
  type ResponseOf,
} from './api.ts'
import { array, bool, INT32_MIN, int8, int16, int32, string } from './schema.ts'
import { always, between, since } from './version-range.ts'

export const describeCluster = api({
  key: 60,
  name: 'DescribeCluster',
  versions: between(0, 2),
  flexibleFrom: 0,
  request: {
    includeClusterAuthorizedOperations: bool(),
    endpointType: int8({ versions: since(1), default: 1 }),
    includeFencedBrokers: bool({ versions: since(2) }),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: always, default: null, entity: 'errorMessage' }),
    endpointType: int8({ versions: since(1), default: 1 }),
    clusterId: string({ entity: 'clusterId' }),
    controllerId: int32({ default: -1, entity: 'brokerId' }),
    brokers: array({
      brokerId: int32({ entity: 'brokerId' }),
      host: string({ entity: 'brokerHost' }),
      port: int32(),
      rack: string({ nullable: always, default: null }),
      isFenced: bool({ versions: since(2) }),
    }),
    clusterAuthorizedOperations: int32({ default: INT32_MIN }),
  },
})

export type DescribeClusterRequest = RequestOf<typeof describeCluster>
export type DescribeClusterResponse = ResponseOf<typeof describeCluster>
export type DescribeClusterRequestInput = RequestInputOf<typeof describeCluster>
export type DescribeClusterResponseInput = ResponseInputOf<typeof describeCluster>
