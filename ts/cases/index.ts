export { Case, type SourceSlice } from './case'
export { SliceStore } from './slice-store'
export { withCase } from './with-case'
