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
export { airHu, type Changes, describeChanges, Quantizer } from './hounsfield'
export { type Excluded, type Series, summarise } from './series'
