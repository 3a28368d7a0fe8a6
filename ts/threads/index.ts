export { type Outcome, outcomeOf } from './outcome'
export { runInThread } from './pool'
export { shareBytes } from './share'
