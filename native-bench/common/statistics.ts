/** The few figures that a bench tells of several rounds. All take what they are given as it is and leave it so. */

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b)

/** The middle value, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const order = sorted(values)
  const middle = order.length >> 1
  if (order.length % 2 === 1) return order[middle]!
  return (order[middle - 1]! + order[middle]!) / 2
}

/** Smallest and largest; NaN of nothing. */
export function rangeOf(values: readonly number[]): { readonly min: number; readonly max: number } {
  const order = sorted(values)
  return { min: order[0] ?? Number.NaN, max: order.at(-1) ?? Number.NaN }
}

/** Enough digits to tell two rounds apart, and no more: three that count, none behind the point from 100 on. */
export function format(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size >= 1e6) return `${(value / 1e6).toFixed(size >= 1e8 ? 0 : size >= 1e7 ? 1 : 2)} M`
  if (size >= 100 || value === 0) return value.toFixed(0)
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3)
}

/** `median (min–max)`. */
export function spread(values: readonly number[], digits?: number): string {
  const text = (value: number) => (digits === undefined ? format(value) : value.toFixed(digits))
  const { min, max } = rangeOf(values)
  return `${text(median(values))} (${text(min)}–${text(max)})`
}
