/** Waits for an engine that was started a moment ago: `griot start &`, and the next line of the script asks it. */
import {
  askEngine,
  type EngineTarget,
  EngineUnreachableError,
  engineAddress,
} from './engine-url.ts'

const WAIT_MS = 5_000
const TOLD_AFTER_MS = 1_000
const LOOK_EVERY_MS = 100

/** As what was asked for goes to the same engine. */
const awaited = new WeakSet<EngineTarget>()

/**
 * Looks at `/health`, once for a command, until an engine is there and has started, for 5 s at most; it says so after a second. Whatever else
 * is wrong, what is asked then will tell, and so it will after those 5 s. Who names an address (`--url`, GRIOT_URL) is not made to wait.
 */
export async function awaitStarted(target: EngineTarget): Promise<void> {
  if (awaited.has(target)) return
  awaited.add(target)
  const startMs = performance.now()
  let isTold = false
  for (;;) {
    const absence = await absenceOf(target)
    const passedMs = performance.now() - startMs
    if (absence === null || passedMs > WAIT_MS) return
    if (!isTold && passedMs > TOLD_AFTER_MS) {
      isTold = true
      console.error(`griot: ${absence}; it is waited for, up to ${WAIT_MS / 1_000} s`)
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
}

/** Why the engine does not serve yet; null where it does, or waiting is of no use. */
async function absenceOf(target: EngineTarget): Promise<string | null> {
  try {
    if (engineAddress(target).isNamed) return null
    const { url, status, body } = await askEngine(target, '/health')
    const { status: state } = (body ?? {}) as { readonly status?: unknown }
    return status === 503 && state === 'starting' ? `the engine at ${url} is starting` : null
  } catch (error) {
    if (!(error instanceof EngineUnreachableError)) throw error
    return error.absence
  }
}
