/**
 * Shapes as distances in mm: negative inside, positive outside, exact enough near the surface to anti-alias an edge.
 * Axes: x to the right of the image, y down (to the back), z from the apex of the lungs to their base.
 */

export interface Point {
  x: number
  y: number
  z: number
}

export function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value
}

export function smoothstep(edge0: number, edge1: number, value: number): number {
  const t = clamp((value - edge0) / (edge1 - edge0), 0, 1)
  return t * t * (3 - 2 * t)
}

export function lerp(a: number, b: number, t: number): number {
  return a + (b - a) * t
}

/** |x/a|^n + |y/b|^n = 1, measured along the ray from the centre. */
export function superellipse(x: number, y: number, a: number, b: number, exponent: number): number {
  const level = (Math.abs(x / a) ** exponent + Math.abs(y / b) ** exponent) ** (1 / exponent)
  return alongRay(Math.sqrt(x * x + y * y), level, Math.min(a, b))
}

export function ellipse(x: number, y: number, a: number, b: number): number {
  return ellipsoid(x, y, 0, a, b, 1)
}

// Math.hypot is several times slower than this, and rendering spends most of its time here.
export function ellipsoid(x: number, y: number, z: number, a: number, b: number, c: number): number {
  const level = Math.sqrt((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2)
  return alongRay(Math.sqrt(x * x + y * y + z * z), level, Math.min(a, b, c))
}

function alongRay(radius: number, level: number, smallestAxis: number): number {
  return level < 1e-6 ? -smallestAxis : radius - radius / level
}

/** Union with a fillet about `blend` mm wide. */
export function smoothUnion(a: number, b: number, blend: number): number {
  const t = clamp(0.5 + (0.5 * (b - a)) / blend, 0, 1)
  return lerp(b, a, t) - blend * t * (1 - t)
}

export function smoothIntersection(a: number, b: number, blend: number): number {
  return -smoothUnion(-a, -b, blend)
}

/** The share of a pixel that lies inside a shape whose distance at the pixel's centre is given. */
export function coverage(distance: number, pixelMm: number): number {
  return clamp(0.5 - distance / pixelMm, 0, 1)
}

/** Distance to the line from (x0, y0) to (x1, y1). */
export function segment(x: number, y: number, x0: number, y0: number, x1: number, y1: number): number {
  const dx = x1 - x0
  const dy = y1 - y0
  const t = clamp(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1), 0, 1)
  return Math.hypot(x - x0 - t * dx, y - y0 - t * dy)
}
