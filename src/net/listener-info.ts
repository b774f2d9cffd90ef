import type { TenantId } from '../base/ids.ts'

/** Whether clients show a certificate: Kafka's ssl.client.auth. */
export const CLIENT_AUTHS = ['none', 'requested', 'required'] as const
export type ClientAuth = (typeof CLIENT_AUTHS)[number]

/** Who comes in at a listener. */
export interface Audience {
  /** The tenant whose clients come in here; null: they say who they are. */
  readonly tenantId: TenantId | null
  /** Clients need not authenticate. */
  readonly allowsAnonymous: boolean
  /** Clients may log in: nobody between them and here can read what they send, or the operator takes that risk. */
  readonly allowsSasl: boolean
  /** Clients that do not authenticate may do everything, whatever ACLs say: only who has opened the listener is told of it. Left out: ACLs decide. */
  readonly trustsAnonymous?: boolean
}

export const EVERYBODY: Audience = { tenantId: null, allowsAnonymous: true, allowsSasl: true }

/** Whose a connection is. */
export interface Belonging {
  readonly tenantId: TenantId | null
  /** By which name its clients must come back; null: any. */
  readonly host: string | null
}

/** Where a connection came in, as far as answers depend on it. */
export interface ListenerInfo extends Audience {
  /** The option that opened it, for messages: `--kafka-listen`. */
  readonly name: string
  /** Which node this port stands for, from 1. */
  readonly nodeId: number
  /** What clients are told to connect to; null: the local address that the connection came in on. */
  readonly advertisedHost: string | null
  /** The port of each node in turn: node n at index n − 1. */
  readonly advertisedPorts: readonly number[]
  /** By TLS; plain TCP unless given. */
  readonly isTls?: boolean
  /** Whom the client's certificate names, as Kafka's principal; null: it has shown none. */
  readonly principal: string | null
}
