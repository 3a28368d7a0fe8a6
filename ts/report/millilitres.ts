/** Three figures are what such a volume is good for. */
export function millilitres(volume: number): string {
  return volume >= 100 ? volume.toFixed(0) : volume >= 10 ? volume.toFixed(1) : volume.toFixed(2)
}
