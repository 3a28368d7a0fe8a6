export type { NiftiHeader, NiftiTask, NiftiVolume } from './file'
export { type Layout, layOut } from './layout'
