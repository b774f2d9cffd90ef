/** What went wrong is for whoever ran the command. */

/** What nobody throws on purpose. */
const FAULTS = [TypeError, RangeError, ReferenceError, SyntaxError] as const

/** One line that says what went wrong, and with `GRIOT_BENCH_STACK` set, where. */
export function errorLine(error: unknown): string {
  if (!(error instanceof Error)) return `error: ${error}`
  const { message, cause, stack } = error
  if (process.env.GRIOT_BENCH_STACK) return stack ?? message
  const isNews = cause instanceof Error && !message.includes(cause.message)
  const said = `error: ${message}${isNews ? ` (${cause.message})` : ''}`
  const isFault = FAULTS.some((kind) => error instanceof kind)
  return isFault ? `${said} (a fault of the bench: GRIOT_BENCH_STACK=1 shows where)` : said
}
