// What the scripts that are JavaScript share: a line per step, and the end of the process at the first that fails.

/** Does `work` and prints a line; ends the process with 1 when it fails. */
export async function step(name, work) {
  const from = performance.now()
  try {
    await work()
  } catch (error) {
    console.log(`failed: ${name}: ${error.stack ?? error.message}`)
    for (const inner of error.errors ?? []) console.log(inner)
    process.exit(1)
  }
  console.log(`ok: ${name} (${Math.round(performance.now() - from)} ms)`)
}

/** Resolves once `holds()` is true; rejects after `timeoutMs`. */
export async function until(what, holds, timeoutMs = 30_000) {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
