/** Structured logging as every thread sees it. The process's own logger (pino) sits behind it in `server/`. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'

/** Fields of a log line: plain values only, never a secret, never a record's bytes. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>

export interface Logger {
  log(level: LogLevel, message: string, fields?: LogFields): void
}

export const silentLogger: Logger = { log: () => {} }
