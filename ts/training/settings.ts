// Made by `npm run training-options` from the table of native/train/train_options.cpp: change that.
import type { TrainOption } from './train-option'

/** What turns gradients into steps. */
export interface OptimizerOptions {
  /** What turns gradients into steps. */
  name?: 'sgd' | 'adam' | 'adamw' | undefined
  /** Share of the last step that the next one keeps. Of `sgd`. In [0, 1]. Default 0.9. */
  momentum?: number | undefined
  /** Nesterov's form of momentum. Of `sgd`. Default false. */
  nesterov?: boolean | undefined
  /** Decay of the gradient's mean. Of `adam` and `adamw`. In [0, 0.9999999]. Default 0.9. */
  beta1?: number | undefined
  /** Decay of the gradient's mean square. Of `adam` and `adamw`. In [0, 0.9999999]. Default 0.999. */
  beta2?: number | undefined
  /** Added to the root of that mean square. Of `adam` and `adamw`. In [0, 1]. Default 1e-8. */
  epsilon?: number | undefined
  /**
   * Share of every weight that is added to its gradient; of `adamw` the share, times the learning rate, by
   * which the weight itself shrinks. In [0, 1].
   */
  weightDecay?: number | undefined
  /**
   * A longer gradient, of all that is trained as one vector, is scaled down to this length. 0: none is. In
   * [0, 1e9]. Default 0.
   */
  maxGradientNorm?: number | undefined
}

/** The learning rate over time. */
export interface ScheduleOptions {
  /**
   * The learning rate over time. `step`: times `gamma` every `stepEpochs`; `poly`: times (1 − iteration /
   * iterations)^`power`; `cosine`: to zero.
   */
  name?: 'constant' | 'step' | 'poly' | 'cosine' | undefined
  /** Before warm-up and decay. In [0, 100]. */
  learningRate?: number | undefined
  /** Epochs between steps. Of `step`. In [1, 1e9]. Default 30. */
  stepEpochs?: number | undefined
  /** After how many epochs there is a step, instead of `stepEpochs`. Of `step`. In [1, 1e9]. */
  milestones?: readonly number[] | undefined
  /** Factor of a step. Of `step`. In [0, 1]. Default 0.1. */
  gamma?: number | undefined
  /** Exponent of the decay. Of `poly`. In [0, 10]. Default 0.9. */
  power?: number | undefined
  /** Iterations over which the learning rate rises linearly. In [0, 1e9]. */
  warmupIterations?: number | undefined
  /** Share of the learning rate that warm-up starts from. In [0, 1]. Default 0.1. */
  warmupFactor?: number | undefined
  /** As the authors' code: a warm-up that outlasts the first epoch ends with it. */
  warmupInFirstEpochOnly?: boolean | undefined
}

/** What is drawn anew for every sample of every epoch. Given as an object, whatever it leaves out is off. */
export interface AugmentationOptions {
  /** Probability. In [0, 1]. */
  horizontalFlip?: number | undefined
  /** Probability. In [0, 1]. */
  verticalFlip?: number | undefined
  /** Largest share of each side that is cut away, each side for itself. In [0, 0.45]. */
  cropMargin?: number | undefined
  /** The same, equally from opposite sides, in half of the samples. In [0, 0.45]. */
  symmetricCrop?: number | undefined
  /** Zoom by up to this share, in or out. In [0, 4]. */
  scale?: number | undefined
  /** Rotation by up to ± so many degrees. In [0, 180]. */
  rotationDegrees?: number | undefined
  /** Shift by up to ± this share of the side. In [0, 0.5]. */
  translation?: number | undefined
  /**
   * Elastic deformation: the nodes of a grid of 4 by 4 cells move by up to ± this share of the side. In [0,
   * 0.08]. Default 0.
   */
  elastic?: number | undefined
  /**
   * Blurred or sharpened by up to this share of what a 3 by 3 binomial filter takes away. In [0, 1]. Default
   * 0.
   */
  sharpness?: number | undefined
  /** Intensities times 1 ± gain. In [0, 1]. */
  gain?: number | undefined
  /** Intensities plus ± offset. In [0, 1]. */
  offset?: number | undefined
  /** Intensities to the power of e^(± gamma). In [0, 2]. */
  gamma?: number | undefined
  /** Largest deviation of Gaussian noise. In [0, 1]. */
  noise?: number | undefined
  /**
   * Shift of the centre of the window that values are seen through, by up to ± this share of its width. In
   * [0, 1]. Default 0.
   */
  windowCenter?: number | undefined
  /**
   * Width of that window times or divided by up to 1 + `windowWidth`. Images that are in [0, 1] already are
   * stretched alike. In [0, 4]. Default 0.
   */
  windowWidth?: number | undefined
}

/** Exponential moving average of the weights. */
export interface EmaOptions {
  /**
   * Average the weights over the steps. The moving average of weights and batch-norm statistics is what is
   * validated, what checkpoints are as models, and what the trained model gets; 0 turns it off. After step t
   * it is min(decay, (1 + t) / (10 + t)). In [0, 0.9999999]. Default 0.
   */
  decay: number
}

/** Which validation's weights are kept. */
export interface BestOptions {
  /**
   * The model gets the weights of the validation where this metric was best, instead of the last ones. Of
   * classification `auc`, `accuracy`, `f1`, `sensitivity`, `specificity`. Of segmentation `dice`,
   * `diceEmptyAsOne`, `iou`, `iouAdaptive`, `eMeasure`, `eMeasureMean`, `eMeasureMax`, `mae`, `mIoU`,
   * `sensitivity`, `specificity`.
   */
  metric:
    | 'auc'
    | 'accuracy'
    | 'f1'
    | 'sensitivity'
    | 'specificity'
    | 'dice'
    | 'diceEmptyAsOne'
    | 'iou'
    | 'iouAdaptive'
    | 'eMeasure'
    | 'eMeasureMean'
    | 'eMeasureMax'
    | 'mae'
    | 'mIoU'
  /**
   * How many validations in a row may bring nothing better before the run ends. 0 (default): any number. In
   * [0, 1e6].
   */
  patience?: number | undefined
}

/** Image mixing. */
export interface MixupOptions {
  /**
   * Classification: image mixing, equation (3), with λ of Beta(alpha, alpha). 0 turns it off. In [0, 100].
   */
  alpha: number
}

/** The Dice loss. */
export interface DiceOptions {
  /**
   * Segmentation: of the intersection. 1 in equation (6), 2 in the usual definition. Of `bce-dice`. In [1,
   * 2].
   */
  factor?: number | undefined
  /** Segmentation: added to numerator and denominator. Of `bce-dice`. In [0, 1e6]. Default 1e-5. */
  eps?: number | undefined
}

/** What an interrupted run goes on from. */
export interface CheckpointOptions {
  /** Made when missing. One file in it, replaced atomically. */
  directory: string
  /** Epochs between checkpoints. In [1, 1e7]. Default 1. */
  every?: number | undefined
  /** Iterations between checkpoints, instead of epochs. In [1, 1e9]. */
  everyIterations?: number | undefined
}

/** Settings of the training itself. What is not given is the recipe's. */
export interface TrainSettings {
  /**
   * Where settings come from that are not given. `paper` (default): section V-B; `authors`: their code, where
   * it differs, and of a comparator its public implementation; `scratch`: tuned for short runs without
   * ImageNet weights.
   */
  recipe?: 'paper' | 'authors' | 'scratch' | undefined
  /** How often every sample is seen. In [1, 1e7]. */
  epochs?: number | undefined
  /** Steps, instead of `epochs`. In [1, 1e9]. */
  iterations?: number | undefined
  /** Samples per step. In [1, 65536]. */
  batchSize?: number | undefined
  /**
   * Which samples an epoch has. `shuffled`: each once; `balanced`: infected and uninfected ones, for
   * segmentation slices with and without lesions, in turn, the rarer ones several times and augmented anew.
   * Default shuffled.
   */
  sampling?: 'shuffled' | 'balanced' | undefined
  /**
   * Samples per pass. `auto` (default), which 0 means as well, takes the whole batch, or splits it until it
   * fits into memory; batch-norm statistics are then those of each part. In [0, 65536].
   */
  microBatch?: number | 'auto' | undefined
  /** Height and width that images are brought to, pixels. In [32, 16384]. */
  inputSize?: number | undefined
  /** What turns gradients into steps. */
  optimizer?: OptimizerOptions | undefined
  /** The learning rate over time. */
  schedule?: ScheduleOptions | undefined
  /**
   * What is drawn anew for every sample of every epoch. Given as an object, whatever it leaves out is off.
   * `false` turns all of it off.
   */
  augmentation?: AugmentationOptions | boolean | undefined
  /** Exponential moving average of the weights. */
  ema?: EmaOptions | undefined
  /** Which validation's weights are kept. */
  best?: BestOptions | undefined
  /** Image mixing. */
  mixup?: MixupOptions | undefined
  /** Classification: loss on activation maps, equation (4), of samples with masks. Default true. */
  activationLoss?: boolean | undefined
  /** Classification: factor of that loss. In [0, 1e6]. Default 1. */
  activationLossWeight?: number | undefined
  /**
   * Segmentation: what each side output is compared with the mask by. `bce-dice`: equation (6); `bce`:
   * cross-entropy, averaged over batch and pixels; `bce-sum`: summed over pixels, averaged over the batch.
   * EGNet's edge has its class-balanced cross-entropy beside each. Default bce-dice.
   */
  loss?: 'bce-dice' | 'bce' | 'bce-sum' | undefined
  /** The Dice loss. */
  dice?: DiceOptions | undefined
  /**
   * Statistics of batch norms. `batch`: of the batch, the default without pretrained weights; `eval`: stored
   * ones, with trainable scale and offset; `frozen`: neither is trained, the default with a `backbone`;
   * `synchronized`: as `batch`, of all processes that train together.
   */
  batchNorm?: 'batch' | 'synchronized' | 'eval' | 'frozen' | undefined
  /** Train the classifier's trunk of `jcs-joint` as well. Default false. */
  trainTrunk?: boolean | undefined
  /**
   * Of weights, order and augmentation. The same seed trains the same model on one machine. In [0, 2⁵³].
   * Default 0.
   */
  seed?: number | undefined
  /** Threads that augment ahead of the step. Results do not depend on it. In [1, 256]. Default 2. */
  loaderThreads?: number | undefined
  /** Epochs between validations. The last epoch always is one. In [1, 1e7]. Default 1. */
  validateEvery?: number | undefined
  /** What an interrupted run goes on from. */
  checkpoint?: CheckpointOptions | undefined
  /** A checkpoint to continue from. All other settings as in its run. */
  resume?: string | undefined
}

export const trainOptions: readonly TrainOption[] = [
  {
    path: 'recipe',
    type: 'choice',
    help: 'where settings come from that are not given. `paper` (default): section V-B; `authors`: their code, where it differs, and of a comparator its public implementation; `scratch`: tuned for short runs without ImageNet weights',
    choices: ['paper', 'authors', 'scratch'],
  },
  { path: 'epochs', type: 'whole', help: 'how often every sample is seen' },
  { path: 'iterations', type: 'whole', help: 'steps, instead of `epochs`' },
  { path: 'batchSize', type: 'whole', help: 'samples per step' },
  {
    path: 'sampling',
    type: 'choice',
    help: 'which samples an epoch has. `shuffled`: each once; `balanced`: infected and uninfected ones, for segmentation slices with and without lesions, in turn, the rarer ones several times and augmented anew',
    choices: ['shuffled', 'balanced'],
  },
  {
    path: 'microBatch',
    type: 'whole',
    help: 'samples per pass. `auto` (default), which 0 means as well, takes the whole batch, or splits it until it fits into memory; batch-norm statistics are then those of each part',
    choices: ['auto'],
  },
  { path: 'inputSize', type: 'whole', help: 'height and width that images are brought to, pixels' },
  {
    path: 'optimizer.name',
    type: 'choice',
    help: 'what turns gradients into steps',
    choices: ['sgd', 'adam', 'adamw'],
  },
  { path: 'optimizer.momentum', type: 'number', help: 'share of the last step that the next one keeps' },
  { path: 'optimizer.nesterov', type: 'boolean', help: "Nesterov's form of momentum" },
  { path: 'optimizer.beta1', type: 'number', help: "decay of the gradient's mean" },
  { path: 'optimizer.beta2', type: 'number', help: "decay of the gradient's mean square" },
  { path: 'optimizer.epsilon', type: 'number', help: 'added to the root of that mean square' },
  {
    path: 'optimizer.weightDecay',
    type: 'number',
    help: 'share of every weight that is added to its gradient; of `adamw` the share, times the learning rate, by which the weight itself shrinks',
  },
  {
    path: 'optimizer.maxGradientNorm',
    type: 'number',
    help: 'a longer gradient, of all that is trained as one vector, is scaled down to this length. 0: none is',
  },
  {
    path: 'schedule.name',
    type: 'choice',
    help: 'the learning rate over time. `step`: times `gamma` every `stepEpochs`; `poly`: times (1 − iteration / iterations)^`power`; `cosine`: to zero',
    choices: ['constant', 'step', 'poly', 'cosine'],
  },
  { path: 'schedule.learningRate', type: 'number', help: 'before warm-up and decay' },
  { path: 'schedule.stepEpochs', type: 'whole', help: 'epochs between steps' },
  {
    path: 'schedule.milestones',
    type: 'wholes',
    help: 'after how many epochs there is a step, instead of `stepEpochs`',
  },
  { path: 'schedule.gamma', type: 'number', help: 'factor of a step' },
  { path: 'schedule.power', type: 'number', help: 'exponent of the decay' },
  {
    path: 'schedule.warmupIterations',
    type: 'whole',
    help: 'iterations over which the learning rate rises linearly',
  },
  {
    path: 'schedule.warmupFactor',
    type: 'number',
    help: 'share of the learning rate that warm-up starts from',
  },
  {
    path: 'schedule.warmupInFirstEpochOnly',
    type: 'boolean',
    help: "as the authors' code: a warm-up that outlasts the first epoch ends with it",
  },
  { path: 'augmentation.horizontalFlip', type: 'number', help: 'probability' },
  { path: 'augmentation.verticalFlip', type: 'number', help: 'probability' },
  {
    path: 'augmentation.cropMargin',
    type: 'number',
    help: 'largest share of each side that is cut away, each side for itself',
  },
  {
    path: 'augmentation.symmetricCrop',
    type: 'number',
    help: 'the same, equally from opposite sides, in half of the samples',
  },
  { path: 'augmentation.scale', type: 'number', help: 'zoom by up to this share, in or out' },
  { path: 'augmentation.rotationDegrees', type: 'number', help: 'rotation by up to ± so many degrees' },
  { path: 'augmentation.translation', type: 'number', help: 'shift by up to ± this share of the side' },
  {
    path: 'augmentation.elastic',
    type: 'number',
    help: 'elastic deformation: the nodes of a grid of 4 by 4 cells move by up to ± this share of the side',
  },
  {
    path: 'augmentation.sharpness',
    type: 'number',
    help: 'blurred or sharpened by up to this share of what a 3 by 3 binomial filter takes away',
  },
  { path: 'augmentation.gain', type: 'number', help: 'intensities times 1 ± gain' },
  { path: 'augmentation.offset', type: 'number', help: 'intensities plus ± offset' },
  { path: 'augmentation.gamma', type: 'number', help: 'intensities to the power of e^(± gamma)' },
  { path: 'augmentation.noise', type: 'number', help: 'largest deviation of Gaussian noise' },
  {
    path: 'augmentation.windowCenter',
    type: 'number',
    help: 'shift of the centre of the window that values are seen through, by up to ± this share of its width',
  },
  {
    path: 'augmentation.windowWidth',
    type: 'number',
    help: 'width of that window times or divided by up to 1 + `windowWidth`. Images that are in [0, 1] already are stretched alike',
  },
  {
    path: 'ema.decay',
    type: 'number',
    help: 'average the weights over the steps. The moving average of weights and batch-norm statistics is what is validated, what checkpoints are as models, and what the trained model gets; 0 turns it off. After step t it is min(decay, (1 + t) / (10 + t))',
  },
  {
    path: 'best.metric',
    type: 'choice',
    help: 'the model gets the weights of the validation where this metric was best, instead of the last ones. Of classification `auc`, `accuracy`, `f1`, `sensitivity`, `specificity`. Of segmentation `dice`, `diceEmptyAsOne`, `iou`, `iouAdaptive`, `eMeasure`, `eMeasureMean`, `eMeasureMax`, `mae`, `mIoU`, `sensitivity`, `specificity`',
    choices: [
      'auc',
      'accuracy',
      'f1',
      'sensitivity',
      'specificity',
      'dice',
      'diceEmptyAsOne',
      'iou',
      'iouAdaptive',
      'eMeasure',
      'eMeasureMean',
      'eMeasureMax',
      'mae',
      'mIoU',
    ],
  },
  {
    path: 'best.patience',
    type: 'whole',
    help: 'how many validations in a row may bring nothing better before the run ends. 0 (default): any number',
  },
  {
    path: 'mixup.alpha',
    type: 'number',
    help: 'image mixing, equation (3), with λ of Beta(alpha, alpha). 0 turns it off',
    task: 'classification',
  },
  {
    path: 'activationLoss',
    type: 'boolean',
    help: 'loss on activation maps, equation (4), of samples with masks',
    task: 'classification',
  },
  { path: 'activationLossWeight', type: 'number', help: 'factor of that loss', task: 'classification' },
  {
    path: 'loss',
    type: 'choice',
    help: "what each side output is compared with the mask by. `bce-dice`: equation (6); `bce`: cross-entropy, averaged over batch and pixels; `bce-sum`: summed over pixels, averaged over the batch. EGNet's edge has its class-balanced cross-entropy beside each",
    choices: ['bce-dice', 'bce', 'bce-sum'],
    task: 'segmentation',
  },
  {
    path: 'dice.factor',
    type: 'number',
    help: 'of the intersection. 1 in equation (6), 2 in the usual definition',
    task: 'segmentation',
  },
  { path: 'dice.eps', type: 'number', help: 'added to numerator and denominator', task: 'segmentation' },
  {
    path: 'batchNorm',
    type: 'choice',
    help: 'statistics of batch norms. `batch`: of the batch, the default without pretrained weights; `eval`: stored ones, with trainable scale and offset; `frozen`: neither is trained, the default with a `backbone`; `synchronized`: as `batch`, of all processes that train together',
    choices: ['batch', 'synchronized', 'eval', 'frozen'],
  },
  { path: 'trainTrunk', type: 'boolean', help: "train the classifier's trunk of `jcs-joint` as well" },
  {
    path: 'seed',
    type: 'whole',
    help: 'of weights, order and augmentation. The same seed trains the same model on one machine',
  },
  {
    path: 'loaderThreads',
    type: 'whole',
    help: 'threads that augment ahead of the step. Results do not depend on it',
  },
  { path: 'validateEvery', type: 'whole', help: 'epochs between validations. The last epoch always is one' },
  {
    path: 'checkpoint.directory',
    type: 'text',
    help: 'made when missing. One file in it, replaced atomically',
  },
  { path: 'checkpoint.every', type: 'whole', help: 'epochs between checkpoints' },
  {
    path: 'checkpoint.everyIterations',
    type: 'whole',
    help: 'iterations between checkpoints, instead of epochs',
  },
  { path: 'resume', type: 'text', help: 'a checkpoint to continue from. All other settings as in its run' },
]

export const trainSettingNames = [
  'recipe',
  'epochs',
  'iterations',
  'batchSize',
  'sampling',
  'microBatch',
  'inputSize',
  'optimizer',
  'schedule',
  'augmentation',
  'ema',
  'best',
  'mixup',
  'activationLoss',
  'activationLossWeight',
  'loss',
  'dice',
  'batchNorm',
  'trainTrunk',
  'seed',
  'loaderThreads',
  'validateEvery',
  'checkpoint',
  'resume',
] as const satisfies readonly (keyof TrainSettings)[]
