/** `/health/live`, `/health/ready`, `/health`. HTTP front's thread. */
import { type HttpResponse, jsonResponse } from '../net/http-interface.ts'
import type { HttpRouter } from '../net/http-router.ts'
import { describe, type EngineHealth } from './engine-health.ts'

/** What `/health` tells besides the state. */
export interface EngineInfo {
  readonly version: string
  readonly pid: number
  readonly brokers: number
  readonly startedAtMs: number
  /** Partitions that nobody leads now: they are not served. */
  readonly offlinePartitions: () => Promise<number>
}

export function addHealthRoutes(
  router: HttpRouter,
  health: EngineHealth,
  info: EngineInfo,
  wallMs: () => number,
): void {
  addLiveRoute(router, health)
  router.add('GET', '/health/ready', () => ready(health, info, {}))
  router.add('GET', '/health', () =>
    ready(health, info, {
      version: info.version,
      pid: info.pid,
      brokers: info.brokers,
      uptimeMs: Math.round(wallMs() - info.startedAtMs),
    }),
  )
}

/** What an address that is not the admin's answers of health: enough to restart an engine that hangs, and no reasons of others. */
export function addLiveRoute(router: HttpRouter, health: EngineHealth): void {
  router.add('GET', '/health/live', () => live(health))
}

/** 200 while every duty cycle turns. */
function live(health: EngineHealth): HttpResponse {
  const hung = health.hungThreads()
  return hung.length === 0
    ? jsonResponse(200, { status: 'live', reasons: [] })
    : jsonResponse(503, { status: 'hung', reasons: hung.map(describe) })
}

/** 200 while clients are served, also when degraded; the reasons say how. */
async function ready(
  health: EngineHealth,
  { offlinePartitions }: EngineInfo,
  more: Readonly<Record<string, unknown>>,
): Promise<HttpResponse> {
  const { status, reasons } = health.report(await offlinePartitions())
  const serves = status === 'serving' || status === 'degraded'
  return jsonResponse(serves ? 200 : 503, { status, reasons, ...more })
}
