export { Case } from './case'
export { SliceStore } from './slice-store'
export { withCase } from './with-case'
