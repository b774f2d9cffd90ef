/** Where an engine that has started is, as its threads tell it. Server's thread. */
import { formatHostPort, type HostPort, localHostOf } from '../net/address.ts'
import type { ReadyDetail } from './thread-handle.ts'

/** What the Kafka front says when it is ready: the ports of each listener joined by commas, listeners by semicolons. */
export const portsOf = (detail: ReadyDetail): number[][] =>
  String(detail.ports)
    .split(';')
    .map((ports) => ports.split(',').map(Number))

/** As programs on this machine reach it; null where there is none. */
export const urlOf = (listen: HostPort | null, port: string | number | undefined): string | null =>
  listen === null
    ? null
    : `http://${formatHostPort({ host: localHostOf(listen.host), port: Number(port) })}`
