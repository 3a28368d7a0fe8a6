export { Case, type SourceSlice } from './case'
export type { DiagnosedCase } from './diagnosed-case'
export { SliceStore } from './slice-store'
export { withCase } from './with-case'
