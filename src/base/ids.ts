/** Branded identifiers. A brand costs nothing at run time and stops one id from being passed for another. */

declare const brand: unique symbol
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }

/** A logical cluster (LKC): 16 lower-case hex digits, also a directory name. */
export type TenantId = Brand<string, 'TenantId'>

/** A topic's UUID: 32 lower-case hex digits (Kafka prints the same bytes as base64url). Belongs to one tenant. */
export type TopicId = Brand<string, 'TopicId'>

/** A cell of the physical cluster, numbered from 1. */
export type CellId = Brand<number, 'CellId'>

/** A broker within its cell, numbered from 1: in directories, commands, logs and Metadata alike. */
export type BrokerId = Brand<number, 'BrokerId'>

/** A front (0: Kafka, 1: HTTP): the index of its words in shared memory. */
export type FrontId = Brand<number, 'FrontId'>

/** Index of a partition within its topic, as clients see it. */
export type PartitionIndex = Brand<number, 'PartitionIndex'>

/**
 * A partition of any tenant's topic as commands name it: drawn by the controller in rising order, never
 * used twice. Only numbers in this space cross threads and go into the brokers' own files.
 */
export type PartitionNumber = Brand<number, 'PartitionNumber'>

export const asTenantId = (hex: string) => hex as TenantId
/** Of what brokers ask for themselves. */
export const NO_TENANT = asTenantId('')
export const asTopicId = (hex: string) => hex as TopicId
export const asCellId = (n: number) => n as CellId
export const asBrokerId = (n: number) => n as BrokerId
export const asFrontId = (n: number) => n as FrontId
export const asPartitionIndex = (n: number) => n as PartitionIndex
export const asPartitionNumber = (n: number) => n as PartitionNumber

/** The all-zero UUID: Kafka's "no topic id". */
export const ZERO_TOPIC_ID = '0'.repeat(32) as TopicId
