/** Options that are read again while an engine runs: which of them change at once, and which wait for the next start. */
import { formatHostPort } from '../net/address.ts'
import { formatAdvertised, formatKafkaListen } from './listeners.ts'
import { type EngineSettings, OPTIONS } from './options.ts'
import { formatBytes } from './units.ts'

export interface SettingChange {
  readonly option: string
  readonly before: string
  readonly after: string
}

/** What reading again comes to. */
export interface ReloadPlan {
  /** Those in force until now with what can change at once. */
  readonly settings: EngineSettings
  readonly applied: readonly SettingChange[]
  readonly needRestart: readonly SettingChange[]
}

/** Compares what is in force with what was read. */
export function planReload(before: EngineSettings, after: EngineSettings): ReloadPlan {
  const settings: Record<string, unknown> = { ...before }
  const applied: SettingChange[] = []
  const needRestart: SettingChange[] = []
  for (const { key, name, isLive } of OPTIONS) {
    const [was, is] = [show(before, key), show(after, key)]
    if (was === is) continue
    const change = { option: name, before: was, after: is }
    if (isLive?.(before, after) === true) {
      settings[key] = after[key]
      applied.push(change)
    } else needRestart.push(change)
  }
  return { settings: settings as unknown as EngineSettings, applied, needRestart }
}

type Formats = { readonly [Key in keyof EngineSettings]?: (value: EngineSettings[Key]) => string }

/** As they are written; what is not here speaks for itself. */
const FORMATS: Formats = {
  kafkaListen: (value) => value.map(formatKafkaListen).join(','),
  tlsSniCert: (value) => value.map(({ name, file }) => `${name}=${file}`).join(',') || 'none',
  kafkaAdvertise: (value) => (value === null ? 'none' : formatAdvertised(value)),
  httpListen: (value) => (value === null ? 'off' : formatHostPort(value)),
  adminListen: (value) => (value === null ? 'none' : formatHostPort(value)),
  httpAllowHosts: (value) => (value.length === 0 ? 'none' : value.join(',')),
  tokenFile: (value) => value ?? 'none',
  memoryBytes: formatBytes,
  stopTimeoutMs: (value) => `${value}ms`,
  connectionsMaxIdleMs: (value) => `${value}ms`,
  diskReserve: ({ bytes, fraction }) => {
    const parts = [fraction === null ? null : `${fraction * 100}%`, bytes === null ? null : bytes]
    return parts.filter((part) => part !== null).join(',')
  },
}

function show<Key extends keyof EngineSettings>(settings: EngineSettings, key: Key): string {
  const format = FORMATS[key] as ((value: EngineSettings[Key]) => string) | undefined
  const value = settings[key]
  if (format !== undefined) return format(value)
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
