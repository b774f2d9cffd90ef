/** What Kafka says to whom lacks a right: the texts of its errors. */
import { ErrorCode } from '../base/error-code.ts'

export const TOPIC_DENIED = 'Topic authorization failed.'
export const GROUP_DENIED = 'Group authorization failed.'
export const CLUSTER_DENIED = 'Cluster authorization failed.'
export const TRANSACTIONAL_ID_DENIED = 'Transactional Id authorization failed.'

/** As most answers have it, of what a right of the cluster is asked for. */
export const clusterDenied = Object.freeze({
  errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
  errorMessage: CLUSTER_DENIED,
})
