export type { NiftiHeader, NiftiSource, NiftiTask, NiftiVolume } from './file'
export { type Layout, layOut } from './layout'
