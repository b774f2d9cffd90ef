/** One clock for all processes of a run: the system's monotonic clock, which is the same in every process of a machine. */

const offsetUs = (() => {
  // performance.now() is the same clock behind its own start, and cheaper to ask
  let best = { took: Number.POSITIVE_INFINITY, offset: 0 }
  for (let i = 0; i < 20; i++) {
    const before = performance.now()
    const now = Number(process.hrtime.bigint() / 1000n)
    const after = performance.now()
    if (after - before >= best.took) continue
    best = { took: after - before, offset: now - ((before + after) / 2) * 1000 }
  }
  return best.offset
})()

/** Microseconds. */
export const nowUs = (): number => performance.now() * 1000 + offsetUs

export const sleepUntil = (atUs: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, (atUs - nowUs()) / 1000)))
