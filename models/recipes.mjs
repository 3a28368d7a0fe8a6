// What the shipped models are trained on and how. Everything that decides a model is here and in its seed.
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { sharedFolder } from '../scripts/paths.mjs'

export const dataFolder = path.join(sharedFolder, 'data')
const coronacases = path.join(dataFolder, 'coronacases')

/** Held out together. Two volumes of one patient stay on one side. */
export const folds = [
  ['coronacases_001', 'coronacases_005', 'radiopaedia_03'],
  ['coronacases_002', 'coronacases_006', 'radiopaedia_04'],
  ['coronacases_003', 'coronacases_007', 'radiopaedia_01', 'radiopaedia_02'],
  ['coronacases_004', 'coronacases_008'],
]

/** Whose volume it is. */
export const patientOf = (volume) => (volume === 'radiopaedia_02' ? 'radiopaedia_01' : volume)

/** The slices of a volume with their masks, `lung` or `lesion`. */
export const slicesOf = (volume, target) =>
  readdirSync(path.join(coronacases, volume, 'ct'))
    .sort()
    .map((file) => ({
      image: path.join(coronacases, volume, 'ct', file),
      mask: path.join(coronacases, volume, target, file),
      patient: patientOf(volume),
    }))

/** A radiologist's labels of the slices of a DICOM case, by file name: of the list beside its folder. */
export async function labelsOf(readDataset, folder) {
  const { samples } = await readDataset(path.join(path.dirname(folder), 'slices.csv'))
  const own = samples.filter(({ image }) => path.dirname(image) === folder)
  return new Map(own.map(({ image, label }) => [path.basename(image), label]))
}

/**
 * The pictures of the training data were windowed and their contrast enhanced by whoever published them. Outside air,
 * fat and muscle have the gray values that `models/window.mjs` measures; a line through them is this window.
 */
export const window = { center: -300, width: 2000 }

const augmentation = {
  horizontalFlip: 0.5,
  verticalFlip: 0.5, // some volumes lie upside down
  scale: 0.3,
  rotationDegrees: 20,
  translation: 0.08,
  gamma: 0.2,
  noise: 0.03,
  windowCenter: 0.1,
  windowWidth: 0.6,
}

const terms =
  'trained on the COVID-19 CT lung and infection segmentation dataset (Ma et al., Zenodo 3757476): the weights are CC BY-NC-SA 4.0, for non-commercial use.'

const training = {
  task: 'segmentation',
  recipe: 'scratch',
  inputSize: 256,
  batchSize: 8,
  schedule: { name: 'cosine', learningRate: 1e-3, warmupIterations: 50 },
  augmentation,
  window,
  precision: 'bf16',
  threads: 2,
  seed: 1,
}

export const recipes = {
  lungs: {
    target: 'lung',
    notice: `The lungs were outlined by the model 'lungs' of jcs-ct-models, ${terms}`,
    train: {
      ...training,
      spec: { network: 'unet', width: 0.25 },
      epochs: 25,
      augmentation: { ...augmentation, noise: 0.15 },
      ema: { decay: 0.995 },
    },
  },
  lesions: {
    target: 'lesion',
    minLesionAreaMm2: 135, // models/calibrate.mjs
    notice: `Lesions were outlined by the model 'lesions' of jcs-ct-models, ${terms}`,
    train: {
      ...training,
      spec: { network: 'jcs-segmentation', width: 0.25 },
      epochs: 40,
      augmentation: { ...augmentation, noise: 0.2, elastic: 0.05, sharpness: 1 },
      ema: { decay: 0.995 },
    },
  },
}
