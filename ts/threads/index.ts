export { type FileSource, shareFile } from './file-source'
export type { Outcome } from './outcome'
export { runInThread } from './pool'
