/** JSON has no NaN: a metric that is not defined on the data arrives as null. */
export function undefinedAsNaN(metrics: Record<string, number | null>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, value ?? Number.NaN]))
}
