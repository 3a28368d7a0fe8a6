export {
  heightAlongNormal,
  isAxial,
  normalOf,
  type Orientation,
  samePositionMm,
  spacingOf,
  tiltDegrees,
  type Vector,
} from './geometry'
export { type Affine, gridOfSlices, type SlicePlace, type VoxelGrid } from './grid'
export { airHu, type Changes, describeChanges, Quantizer } from './hounsfield'
export { type Excluded, type Series, summarise } from './series'
