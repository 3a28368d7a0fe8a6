/** That share of the numbers from 1 to `count`, the first among them. */
export function evenly(count: number, share: number): number[] {
  const chosen = Math.ceil(share * count)
  return Array.from({ length: chosen }, (_, i) => 1 + Math.floor((i * count) / chosen))
}
