export { type FileSource, readBytes, shareFile } from './file-source'
export type { Outcome } from './outcome'
export { runInThread } from './pool'
