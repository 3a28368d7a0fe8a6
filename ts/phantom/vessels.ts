import { type Anatomy, hilumLevel } from './anatomy'
import { coverage, type Point } from './geometry'
import { Random } from './random'

/** A straight piece of a vessel. */
export interface VesselSegment {
  from: Point
  to: Point
  radius: number
}

interface Node extends Point {
  parent: Node | undefined
  /** Distance from the hilum along the tree. */
  path: number
  leaves: number
}

const stepMm = 11
const tipRadius = 0.75

/**
 * Grows one tree per lung: points spread over the lung are joined, nearest to the hilum first, to the node that is
 * closest by way and by distance; radii follow Murray's law (r^2.7 is conserved at every branching).
 */
export function growVessels(anatomy: Anatomy): VesselSegment[] {
  const { patient } = anatomy
  const random = new Random(patient.seed, 'vessels')
  return [-1, 1].flatMap((side) => {
    const root: Node = {
      x: 36 * side,
      y: 4,
      z: hilumLevel * patient.lungHeight,
      parent: undefined,
      path: 0,
      leaves: 0,
    }
    const nodes = [root]
    for (const target of spreadPoints(anatomy, random, side)) grow(nodes, target, random)
    return nodes
      .filter((node) => node.parent)
      .map((node) => ({
        from: node.parent as Point,
        to: node,
        radius: Math.min(6.5, tipRadius * node.leaves ** (1 / 2.7)),
      }))
  })
}

function spreadPoints(anatomy: Anatomy, random: Random, side: number): Point[] {
  const { cavity, lungHeight, vesselDensity } = anatomy.patient
  const count = Math.round(260 * vesselDensity)
  const root = { x: 36 * side, y: 4, z: hilumLevel * lungHeight }
  const points: Point[] = []
  // The lung fills about a third of its box; the bound only guards against a degenerate anatomy.
  for (let attempt = 0; attempt < 40 * count && points.length < count; attempt++) {
    const point = {
      x: side * random.uniform(0, cavity.a),
      y: random.uniform(-cavity.b, cavity.b),
      z: random.uniform(0, lungHeight),
    }
    if (anatomy.lung(point.x, point.y, point.z) < -5) points.push(point)
  }
  return points.sort((p, q) => distance(p, root) - distance(q, root))
}

function grow(nodes: Node[], target: Point, random: Random): void {
  let best = nodes[0] as Node
  let bestCost = Number.POSITIVE_INFINITY
  for (const node of nodes) {
    const cost = distance(node, target) + 0.22 * node.path
    if (cost < bestCost) [best, bestCost] = [node, cost]
  }
  const length = distance(best, target)
  const steps = Math.max(1, Math.round(length / stepMm))
  const start = best
  for (let step = 1; step <= steps; step++) {
    const t = step / steps
    const wiggle = step === steps ? 0 : 1.6
    const node: Node = {
      x: start.x + t * (target.x - start.x) + wiggle * random.normal(),
      y: start.y + t * (target.y - start.y) + wiggle * random.normal(),
      z: start.z + t * (target.z - start.z) + wiggle * random.normal(),
      parent: best,
      path: best.path + length / steps,
      leaves: 0,
    }
    nodes.push(node)
    best = node
  }
  for (let node: Node | undefined = best; node; node = node.parent) node.leaves++
}

function distance(p: Point, q: Point): number {
  return Math.hypot(p.x - q.x, p.y - q.y, p.z - q.z)
}

/** Where the pixels of a slice lie: column i at x0 + i * pixelMm, row j at y0 + j * pixelMm. */
export interface SliceGrid {
  size: number
  pixelMm: number
  x0: number
  y0: number
  z: number
}

/** Adds to `share` (one value a pixel, 0 to 1) how much of each pixel the vessels fill within the slice's thickness. */
export function drawVessels(
  share: Float32Array,
  vessels: readonly VesselSegment[],
  grid: SliceGrid,
  thickness: number,
): void {
  for (const { from, to, radius } of vessels) {
    const half = thickness / 2 + radius
    const piece = clipToSlab(from, to, grid.z - half, grid.z + half)
    if (piece) drawTube(share, piece, radius, grid)
  }
}

interface Piece {
  x0: number
  y0: number
  x1: number
  y1: number
}

function clipToSlab(from: Point, to: Point, low: number, high: number): Piece | undefined {
  const dz = to.z - from.z
  let t0 = 0
  let t1 = 1
  if (Math.abs(dz) < 1e-9) {
    if (from.z < low || from.z > high) return undefined
  } else {
    const a = (low - from.z) / dz
    const b = (high - from.z) / dz
    t0 = Math.max(0, Math.min(a, b))
    t1 = Math.min(1, Math.max(a, b))
    if (t0 >= t1) return undefined
  }
  const dx = to.x - from.x
  const dy = to.y - from.y
  return { x0: from.x + t0 * dx, y0: from.y + t0 * dy, x1: from.x + t1 * dx, y1: from.y + t1 * dy }
}

function drawTube(
  share: Float32Array,
  piece: Piece,
  radius: number,
  { size, pixelMm, x0, y0 }: SliceGrid,
): void {
  const reach = radius + pixelMm
  const column = (x: number) => Math.min(size - 1, Math.max(0, Math.round((x - x0) / pixelMm)))
  const row = (y: number) => Math.min(size - 1, Math.max(0, Math.round((y - y0) / pixelMm)))
  const dx = piece.x1 - piece.x0
  const dy = piece.y1 - piece.y0
  const lengthSquared = dx * dx + dy * dy || 1
  // A tube thinner than a pixel fills only a part of it.
  const fill = Math.min(1, (2 * radius) / pixelMm)
  const [rowEnd, columnEnd] = [
    row(Math.max(piece.y0, piece.y1) + reach),
    column(Math.max(piece.x0, piece.x1) + reach),
  ]
  for (let j = row(Math.min(piece.y0, piece.y1) - reach); j <= rowEnd; j++) {
    for (let i = column(Math.min(piece.x0, piece.x1) - reach); i <= columnEnd; i++) {
      const x = x0 + i * pixelMm - piece.x0
      const y = y0 + j * pixelMm - piece.y0
      const t = Math.min(1, Math.max(0, (x * dx + y * dy) / lengthSquared))
      const inside =
        fill * coverage(Math.hypot(x - t * dx, y - t * dy) - Math.max(radius, pixelMm / 2), pixelMm)
      const index = j * size + i
      if (inside > share[index]!) share[index] = inside
    }
  }
}
