/** One setting of training, as native/train/train_options.cpp tells of it and the command line offers it. */
export interface TrainOption {
  /** `batchSize`, or `optimizer.weightDecay` in a group. */
  path: string
  type: 'number' | 'whole' | 'wholes' | 'boolean' | 'choice' | 'text'
  /** Markdown; its first sentence stands for itself. */
  help: string
  /** Of a `choice`; of numbers, words that may be given instead. */
  choices?: readonly string[]
  /** The only one that has it. */
  task?: 'classification' | 'segmentation'
}
